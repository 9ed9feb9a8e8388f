"""How far tiled output is from whole-image output, by halo: a table in Markdown.

python scripts/measure_tiles.py MODEL.tflite IMAGE
"""

import sys
from pathlib import Path

import numpy as np
from script import run

from conversion.engines.cpu import CpuEngine
from conversion.upscaling.pipeline import upscale_array
from keras_models.data.photo_set import read_rgb

HALOS = (0, 8, 16, 24, 32, 48)
TILE = 64


def main(model: Path, photo: Path) -> None:
    """Prints one row: largest difference in 1/255 for each halo."""
    engine, image = CpuEngine(model), read_rgb(photo).astype(np.float32) / 255
    whole = engine.run(image)
    sys.stdout.write("| halo | " + " | ".join(map(str, HALOS)) + " |\n|" + "---|" * (len(HALOS) + 1) + "\n")
    differences = [np.abs(upscale_array(image, engine, tile=TILE, halo=halo) - whole).max() * 255 for halo in HALOS]
    sys.stdout.write(f"| {engine.path.stem}, tile {TILE} | " + " | ".join(f"{d:.2g}" for d in differences) + " |\n")


if __name__ == "__main__":
    run(main, __doc__)
