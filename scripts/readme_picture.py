"""The picture at the top of the README: a free photo made small, then enlarged by bicubic interpolation and by the shipped network.

    python scripts/readme_picture.py docs/before-after.png

The photo is scikit-image's "coffee" (Rachel Michetti, public domain by CC0), which comes inside that package.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from script import run

SCALE = 4
CROP = (96, 128, 240, 300)  # top, left, height, width of what is shown
HEAD, GAP = 30, 8


def main(target: Path) -> None:
    """Writes the picture and prints PSNR-Y of both results, over the whole photo."""
    from skimage import data

    from conversion.source import ModelSource
    from keras_models.data.bicubic import crop_to_multiple, enlarge, shrink
    from keras_models.metrics import psnr_y, to_uint8

    photo = crop_to_multiple(data.coffee(), SCALE)
    small = shrink(photo, SCALE)
    ours = to_uint8(ModelSource.of("lkdn-s-x4").predictor().run(small.astype(np.float32) / 255))
    shown = {"bicubic": enlarge(small, SCALE), "mobile-sr, LKDN-S x4": ours, "original": photo}
    for name in list(shown)[:2]:
        sys.stdout.write(f"{name}: {psnr_y(shown[name], photo, SCALE):.2f} dB\n")
    top, left, height, width = CROP
    page = Image.new("RGB", (3 * width + 2 * GAP, height + HEAD), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(17)
    for index, (name, image) in enumerate(shown.items()):
        x = index * (width + GAP)
        draw.text((x + width / 2, HEAD / 2), name, "black", font, anchor="mm")
        page.paste(Image.fromarray(image[top : top + height, left : left + width]), (x, HEAD))
    page.save(target, optimize=True)


if __name__ == "__main__":
    run(main, __doc__)
