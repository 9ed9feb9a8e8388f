"""Converts every preset by every recipe with fixed weights and prints sha256: what a change of the code must not change.

    python scripts/pin_conversions.py [PRESET ...] >before.txt

Weights are seeded, images are the built-in ones, tiles small; a card is no part of it.
"""

import hashlib
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
                said = digest(recipe.emit(graph, TILE, images, 0).data)
            except MobileSRError as error:
                said = f"refused: {error}"
            sys.stdout.write(f"{name} {recipe.name} {said}\n")
            sys.stdout.flush()


def digest(data: bytes) -> str:
    """Sha256 of all that a .tflite computes with: operations, their options, shapes, types, scales, constants, signature.

    What is left out is names and the order in which the converter happened to store tensors, buffers, operation codes and the
    operations that widen constants of half precision.
    """
    from conversion.tflite.check import packed, parse_checked

    model = parse_checked(data, "converted model")
    graph = model.subgraphs[0]
    constants = {index for index, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    graph.operators = _by_use(graph.operators, constants)
    used = [*graph.inputs, *(index for op in graph.operators for index in (*op.inputs, *op.outputs) if index >= 0), *graph.outputs]
    number = {int(old): new for new, old in enumerate(dict.fromkeys(used))} | {-1: -1}
    tensors, buffers = [graph.tensors[index] for index in number if index >= 0], model.buffers[:1]
    for tensor in tensors:
        tensor.name = None
        buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = len(buffers) - 1
    graph.tensors, model.buffers = tensors, buffers
    graph.inputs, graph.outputs = [[number[int(i)] for i in side] for side in (graph.inputs, graph.outputs)]
    codes = list(dict.fromkeys(int(op.opcodeIndex) for op in graph.operators))
    model.operatorCodes = [model.operatorCodes[code] for code in codes]
    for op in graph.operators:
        op.opcodeIndex = codes.index(op.opcodeIndex)
        op.inputs, op.outputs = [number[int(i)] for i in op.inputs], [number[int(i)] for i in op.outputs]
    for named in (named for signature in model.signatureDefs for named in (*signature.inputs, *signature.outputs)):
        named.tensorIndex = number[named.tensorIndex]
    model.metadata, graph.name, model.description = [], None, None
    return hashlib.sha256(packed(model)).hexdigest()


def _by_use(operators: list, constants: set[int]) -> list:
    """The operations, those that read nothing but constants each moved to before the first that reads its result."""
    early = {int(op.outputs[0]): op for op in operators if all(int(index) in constants for index in op.inputs)}
    ordered = []
    for op in operators:
        if int(op.outputs[0]) not in early:
            ordered += [early.pop(int(index)) for index in op.inputs if int(index) in early]
            ordered.append(op)
    return ordered


def _seeded(rng: np.random.Generator, variable: Any) -> np.ndarray:
    shape = tuple(variable.shape)
    if len(shape) == 1:
        return (float(variable.name == "gamma") + rng.normal(0, 0.1, shape)).astype(np.float32)
    fan_in = np.prod(shape[:-1]) if shape[-1] != 1 else np.prod(shape[:2])
    return rng.normal(0, fan_in**-0.5, shape).astype(np.float32)


if __name__ == "__main__":
    run(main, __doc__)
