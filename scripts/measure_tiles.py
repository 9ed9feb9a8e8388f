"""How far tiled output is from whole-image output, by halo: a table in Markdown.

python scripts/measure_tiles.py MODEL.tflite IMAGE
"""

import sys

import numpy as np
from PIL import Image

from conversion.litert import CpuEngine
from conversion.upscaling.upscale import upscale_array

HALOS = (0, 8, 16, 24, 32, 48)
TILE = 64


def main() -> None:
    """Prints one row: largest difference in 1/255 for each halo."""
    engine = CpuEngine(sys.argv[1])
    image = np.asarray(Image.open(sys.argv[2]).convert("RGB"), np.float32) / 255
    whole = engine.run(image)
    sys.stdout.write("| halo | " + " | ".join(map(str, HALOS)) + " |\n|" + "---|" * (len(HALOS) + 1) + "\n")
    differences = [np.abs(upscale_array(image, engine, tile=TILE, halo=halo) - whole).max() * 255 for halo in HALOS]
    sys.stdout.write(f"| {engine.path.stem}, tile {TILE} | " + " | ".join(f"{d:.2g}" for d in differences) + " |\n")


if __name__ == "__main__":
    main()
