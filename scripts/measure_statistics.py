"""What tiles do to a network with whole-image statistics, before and after the fix: a table in Markdown.

    python scripts/measure_statistics.py MODEL PHOTO [TILE]

MODEL is what `mobile-sr convert` takes. Compares tiled output (cores of TILE input pixels, 256 by default) with that of the
whole photo: every tile by its own statistics, then by common ones after 0, 1, 2 ... passes over the photo.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    from conversion.convert_model import convert
    from conversion.engines.cpu import CpuEngine
    from conversion.engines.whole_image import WholeImageEngine
    from conversion.upscaling.pipeline import upscale_array
    from keras_models.data.read_rgb import read_rgb


def main(model: str, photo: Path, tile: Annotated[int, typer.Argument(min=1)] = 256) -> None:
    """Prints the table row by row."""
    image = read_rgb(photo).astype(np.float32) / 255
    with tempfile.TemporaryDirectory() as folder:
        own_path, whole_path = Path(folder) / "own.tflite", Path(folder) / "whole.tflite"
        convert(model, own_path, "float32", (64, 64))
        convert(model, whole_path, "float32", (64, 64), whole_image=True)
        own, shared = CpuEngine(own_path), WholeImageEngine(whole_path)
    whole = np.clip(own.run(image), 0, 1)
    sys.stdout.write(f"{image.shape[1]}x{image.shape[0]} photo, cores of {tile}\n\n")
    sys.stdout.write("| statistics | halo | largest difference, 1/255 | PSNR to the whole image, dB |\n|---|---|---|---|\n")

    def row(name: str, engine: CpuEngine, halo: int) -> None:
        apart = np.abs(np.clip(upscale_array(image, engine, tile, halo), 0, 1) - whole).astype(np.float64)
        psnr = -10 * np.log10(max(np.mean(apart**2), 1e-20))
        sys.stdout.write(f"| {name} | {halo} | {apart.max() * 255:.3g} | {psnr:.1f} |\n")
        sys.stdout.flush()

    row("each tile's own", own, 32)
    row("each tile's own", own, 64)
    for sweeps in (0, 1, 2, shared.exact_sweeps):
        shared.sweeps = sweeps
        row(f"common, {sweeps} passes" if sweeps else "those of the middle tile", shared, 32)
    row(f"common, {shared.exact_sweeps} passes", shared, 64)


if __name__ == "__main__":
    run(main, __doc__)
