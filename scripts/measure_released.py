"""The README's tables on the released checkpoints: PSNR and SSIM of Keras and .tflite, and half precision's range.

    python scripts/measure_released.py CHECKPOINTS BENCHMARKS

CHECKPOINTS holds LKDN_x2.pth ... LKDN-S_x4.pth, BENCHMARKS holds Set5 and Set14. Prints Markdown.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    from conversion.convert_model import convert
    from conversion.graph.exact_rewrites import deploy_graph
    from conversion.graph.to_keras import to_keras
    from conversion.measuring.evaluate import evaluate_model
    from conversion.tflite.converter import to_tflite
    from conversion.tflite.half_range import measure_half_range
    from keras_models.checkpoints.loading import load_model
    from keras_models.folding import fold

NAMES = ("LKDN_x2", "LKDN_x3", "LKDN_x4", "LKDN-S_x4")


def main(checkpoints: Path, benchmarks: Path) -> None:
    """Prints both tables."""
    say = sys.stdout.write
    say("| checkpoint | Set5 PSNR / SSIM | Set14 | float32 .tflite, Set5 / Set14 | float16 .tflite, Set5 / Set14 | bytes |\n")
    say("|---|---|---|---|---|---|\n")
    ranges = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            checkpoint, low_res = checkpoints / f"{name}.pth", []
            keras_scores = [_scores(checkpoint, benchmarks / "Set5", low_res), _scores(checkpoint, benchmarks / "Set14", [])]
            files, scores = [], []
            for recipe in ("float32", "float16"):
                path = Path(folder) / f"{name}_{recipe}.tflite"
                convert(checkpoint, path, recipe, (64, 64))
                scores.append(" / ".join(f"{evaluate_model(path, benchmarks / d).mean.psnr_y:.3f}" for d in ("Set5", "Set14")))
                files.append(path)
            sizes = " / ".join(f"{path.stat().st_size:,}" for path in files)
            say(f"| {name} | {' | '.join([*keras_scores, *scores])} | {sizes} |\n")
            plain = Path(folder) / "plain.tflite"
            plain.write_bytes(to_tflite(to_keras(deploy_graph(fold(load_model(checkpoint)), 64, 64), 64, 64)))
            largest = [measure_half_range(path, low_res).largest for path in (plain, files[0])]
            ranges.append(f"| {name} | {largest[0]:.3g} | {largest[1]:.3g} |\n")
            sys.stdout.flush()
    say("\n| checkpoint | plain graph | converted file |\n|---|---|---|\n" + "".join(ranges))


def _scores(checkpoint: Path, data: Path, low_res: list[np.ndarray]) -> str:
    """PSNR and SSIM; the low-resolution images (1, H, W, 3) in [0, 1] are added to the list."""
    mean = evaluate_model(checkpoint, data, see=lambda _, low, *others: low_res.append(low[None].astype(np.float32) / 255)).mean
    return f"{mean.psnr_y:.3f} / {mean.ssim_y:.4f}"


if __name__ == "__main__":
    run(main, __doc__)
