"""The networks side by side: parameters, multiply-adds, file size, quality of the shipped weights, CPU time in one run.

    python scripts/compare_networks.py BENCHMARKS [ROUNDS]

BENCHMARKS holds Set5 and Set14. Networks without shipped weights are timed with fresh ones, their quality is left out.
Times are minimum / median over interleaved rounds, one thread. Prints Markdown.
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
    from keras_models.checkpoints.loading import build_preset
    from keras_models.folding import fold
    from keras_models.registry import PRESETS

NAMES = ("lkdn-s-x4", "lkdn-x4", "mafdn-x4")
SIZES = ((64, 64), (180, 320))


def main(benchmarks: Path, rounds: Annotated[int, typer.Argument(min=1)] = 9) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: _files(name, Path(folder)) for name in NAMES}
        times = _times({name: CpuEngine(paths[0], threads=1) for name, paths in files.items()}, rounds)
        columns = " | ".join(f"ms at {height}x{width}" for height, width in SIZES)
        sys.stdout.write(f"| network | parameters, training / deploy | multi-adds | bytes float32 / float16 | Set5 | Set14 | {columns} |\n")
        sys.stdout.write("|" + "---|" * (6 + len(SIZES)) + "\n")
        for name in NAMES:
            preset, sizes = PRESETS[name], [path.stat().st_size for path in files[name]]
            quality = [_quality(name, benchmarks / data) for data in ("Set5", "Set14")]
            spent = [f"{min(t):.1f} / {np.median(t):.1f}" for t in times[name]]
            cells = [
                name,
                "{:,} / {:,}".format(*preset.parameters),
                f"{preset.multi_adds / 1e9:.2f}G",
                "{:,} / {:,}".format(*sizes),
                *quality,
                *spent,
            ]
            sys.stdout.write("| " + " | ".join(cells) + " |\n")


def _files(name: str, folder: Path) -> list[Path]:
    """The float32 and float16 files of 64x64 tiles."""
    source = name
    if PRESETS[name].weights is None:
        keras.utils.set_random_seed(0)
        source = folder / f"{name}.keras"
        fold(build_preset(PRESETS[name])).save(source)
    paths = [folder / f"{name}_{recipe}.tflite" for recipe in ("float32", "float16")]
    for path, recipe in zip(paths, ("float32", "float16"), strict=True):
        convert(source, path, recipe, (64, 64))
    return paths


def _quality(name: str, data: Path) -> str:
    if PRESETS[name].weights is None:
        return "not trained"
    mean = evaluate_model(name, data).mean
    return f"{mean.psnr_y:.3f} / {mean.ssim_y:.4f}"


def _times(engines: dict[str, CpuEngine], rounds: int) -> dict[str, list[list[float]]]:
    """Name -> for every size the milliseconds of every round."""
    windows = [np.random.default_rng(0).random((*size, 3), np.float32) for size in SIZES]
    of_sizes = [interleaved({name: partial(engine.run, window) for name, engine in engines.items()}, rounds) for window in windows]
    return {name: [times[name] for times in of_sizes] for name in engines}


if __name__ == "__main__":
    run(main, __doc__)
