"""Converts every preset by every recipe with fixed weights and prints sha256: what a change of the code must not change.

    python scripts/pin_conversions.py [PRESET ...] >before.txt

Weights are seeded, images are the built-in ones, tiles small; a card is no part of it. The name that Keras gave to the
whole model stands in front of every tensor's name and is left out, since earlier versions took it from a counter.
"""

import hashlib
import re
import sys
from typing import Annotated, Any

import numpy as np
import typer
from script import run

TILE = (24, 32)
CROP = 24


def main(presets: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Prints one line a preset and recipe."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.calibration_images import synthetic_images
    from conversion.graph.from_keras import graph_of
    from conversion.recipes import RECIPES
    from conversion.tflite.flatbuffer_dedup import with_shared_vectors
    from keras_models.checkpoints.loading import build_preset
    from keras_models.folding import fold
    from keras_models.registry import PRESETS
    from keras_models.system.errors import MobileSRError

    for name in presets or PRESETS:
        model = build_preset(PRESETS[name])
        rng = np.random.default_rng(sum(map(ord, name)))
        model.set_weights([_seeded(rng, variable) for variable in model.weights])
        graph = graph_of(fold(model), *TILE)
        for recipe in RECIPES.values():
            images = synthetic_images(CROP, CROP) if recipe.needs_photos else synthetic_images(*TILE)
            try:
                data = recipe.emit(graph, TILE, images, 0).data
                said = digest(with_shared_vectors(data) if recipe.compact else data)
            except MobileSRError as error:
                said = f"refused: {error}"
            sys.stdout.write(f"{name} {recipe.name} {said}\n")
            sys.stdout.flush()


def digest(data: bytes) -> str:
    """Sha256 of a .tflite whose tensors are named without the model's own name."""
    from conversion.tflite.check import packed, parse_checked

    model = parse_checked(data, "converted model")
    for tensor in model.subgraphs[0].tensors:
        tensor.name = re.sub(rb"(^|;)(functional|super_resolution)(_\d+)*/", rb"\1", tensor.name or b"")
    return hashlib.sha256(packed(model)).hexdigest()


def _seeded(rng: np.random.Generator, variable: Any) -> np.ndarray:
    shape = tuple(variable.shape)
    if len(shape) == 1:
        return (float(variable.name == "gamma") + rng.normal(0, 0.1, shape)).astype(np.float32)
    fan_in = np.prod(shape[:-1]) if shape[-1] != 1 else np.prod(shape[:2])
    return rng.normal(0, fan_in**-0.5, shape).astype(np.float32)


if __name__ == "__main__":
    run(main, __doc__)
