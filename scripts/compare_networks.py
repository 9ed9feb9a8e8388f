"""The networks side by side: parameters, multiply-adds, file size, quality where weights are at hand, CPU time in one run.

    python scripts/compare_networks.py BENCHMARKS PHOTOS [ROUNDS]

BENCHMARKS holds Set5 and Set14, PHOTOS what int8 ranges are fitted to. Networks without weights here (shipped, or published
and reachable: MOBILE_SR_WEIGHTS) are timed with fresh ones, their quality is left out. Times are medians of interleaved
rounds of one thread. Prints Markdown.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from interleaved import interleaved
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    import keras

    from conversion.convert_model import convert
    from conversion.engines.cpu import CpuEngine
    from conversion.measuring.evaluate import evaluate_model
    from conversion.source import ModelLike
    from keras_models.checkpoints.loading import build_preset, load_model
    from keras_models.folding import fold
    from keras_models.registry import PRESETS
    from keras_models.system.errors import ConversionError, FetchError, ModelError

NAMES = ("lkdn-s-x4", "lkdn-x4", "mafdn-x4", "span-28-x4", "span-48-x4", "compact-16-x4")
RECIPES = ("float32", "int8")
SIZES = ((64, 64), (180, 320))


def main(benchmarks: Path, photos: Path, rounds: Annotated[int, typer.Argument(min=1)] = 7) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: _files(name, Path(folder), photos) for name in NAMES}
        engines = {(name, recipe): CpuEngine(path, threads=1) for name, made in files.items() for recipe, path in made.items()}
        times = _times(engines, rounds)
        columns = " | ".join(f"ms at {height}x{width}, float32 / int8" for height, width in SIZES)
        sys.stdout.write(f"| network | parameters | multi-adds | bytes, float32 / int8 | Set5, float32 / int8 | {columns} |\n")
        sys.stdout.write("|" + "---|" * (5 + len(SIZES)) + "\n")
        for name in NAMES:
            preset, made = PRESETS[name], files[name]
            spent = [" / ".join(f"{np.median(times[name, recipe][i]):.1f}" for recipe in made) for i in range(len(SIZES))]
            sizes = " / ".join(f"{path.stat().st_size:,}" for path in made.values())
            quality = _quality(name, made, benchmarks / "Set5")
            cells = [name, f"{preset.parameters[1]:,}", f"{preset.multi_adds / 1e9:.2f}G", sizes, quality, *spent]
            sys.stdout.write("| " + " | ".join(cells) + " |\n")


def _source(name: str) -> ModelLike | None:
    """Shipped weights, or the authors' if they can be had; None without any."""
    if PRESETS[name].weights is not None:
        return name
    try:
        return load_model(f"{name}@authors")
    except (ModelError, FetchError):
        return None


def _files(name: str, folder: Path, photos: Path) -> dict[str, Path]:
    """Recipe -> the file of 64x64 tiles, for the recipes that the network bears."""
    source = _source(name)
    if source is None:
        keras.utils.set_random_seed(0)
        source = fold(build_preset(PRESETS[name]))
    made = {}
    for recipe in RECIPES:
        path = folder / f"{name}_{recipe}.tflite"
        try:
            convert(source, path, recipe, (64, 64), photos if recipe == "int8" else None, allow_overflow=True)
            made[recipe] = path
        except ConversionError as error:
            sys.stderr.write(f"{name} {recipe}: {error}\n")
    return made


def _quality(name: str, made: dict[str, Path], data: Path) -> str:
    if _source(name) is None:
        return "no weights"
    return " / ".join(f"{evaluate_model(path, data).mean.psnr_y:.3f}" for path in made.values())


def _times(engines: dict[tuple[str, str], CpuEngine], rounds: int) -> dict[tuple[str, str], list[list[float]]]:
    """(network, recipe) -> for every size the milliseconds of every round."""
    windows = [np.random.default_rng(0).random((*size, 3), np.float32) for size in SIZES]
    of_sizes = [interleaved({name: partial(engine.run, window) for name, engine in engines.items()}, rounds) for window in windows]
    return {name: [times[name] for times in of_sizes] for name in engines}


if __name__ == "__main__":
    run(main, __doc__)
