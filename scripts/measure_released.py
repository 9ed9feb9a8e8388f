"""The README's tables on the released checkpoints: PSNR and SSIM of Keras and .tflite, and half precision's range.

    python scripts/measure_released.py CHECKPOINTS BENCHMARKS

CHECKPOINTS holds LKDN_x2.pth ... LKDN-S_x4.pth, BENCHMARKS holds Set5 and Set14. Prints Markdown.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from conversion.convert import convert, tflite_bytes
from conversion.evaluate import evaluate_model
from conversion.tflite.half_range import measure_half_range
from keras_models.folding import fold
from keras_models.loading import load_model

NAMES = ("LKDN_x2", "LKDN_x3", "LKDN_x4", "LKDN-S_x4")


def main() -> None:
    """Prints both tables."""
    checkpoints, benchmarks = map(Path, sys.argv[1:3])
    say = sys.stdout.write
    say("| checkpoint | Set5 PSNR / SSIM | Set14 | float32 .tflite, Set5 / Set14 | float16 .tflite, Set5 / Set14 | bytes |\n")
    say("|---|---|---|---|---|---|\n")
    ranges = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            checkpoint, keras_scores = checkpoints / f"{name}.pth", []
            for data in ("Set5", "Set14"):
                mean = evaluate_model(checkpoint, benchmarks / data).mean
                keras_scores.append(f"{mean.psnr_y:.3f} / {mean.ssim_y:.4f}")
            files, scores = [], []
            for recipe in ("float32", "float16"):
                path = Path(folder) / f"{name}_{recipe}.tflite"
                convert(checkpoint, path, recipe, (64, 64))
                scores.append(" / ".join(f"{evaluate_model(path, benchmarks / d).mean.psnr_y:.3f}" for d in ("Set5", "Set14")))
                files.append(path)
            sizes = " / ".join(f"{path.stat().st_size:,}" for path in files)
            say(f"| {name} | {' | '.join([*keras_scores, *scores])} | {sizes} |\n")
            plain = Path(folder) / "plain.tflite"
            plain.write_bytes(tflite_bytes(fold(load_model(checkpoint)), "float32", (64, 64), [], rescaled=False))
            largest = [measure_half_range(path, _set5(benchmarks, name[-2:])).largest for path in (plain, files[0])]
            ranges.append(f"| {name} | {largest[0]:.3g} | {largest[1]:.3g} |\n")
            sys.stdout.flush()
    say("\n| checkpoint | plain graph | converted file |\n|---|---|---|\n" + "".join(ranges))


def _set5(benchmarks: Path, scale: str) -> list[np.ndarray]:
    paths = sorted((benchmarks / "Set5" / f"LR{scale}").glob("*.png"))
    return [np.asarray(Image.open(path).convert("RGB"), np.float32)[None] / 255 for path in paths]


if __name__ == "__main__":
    main()
