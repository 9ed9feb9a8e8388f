"""Weights for photos that are not clean, against others and bicubic: PSNR-Y after shrinking and JPEG, photo by photo in the mean.

    python scripts/measure_photo.py PHOTOS MODEL [MODEL ...] [--qualities 50,60,70,85] [--crops FOLDER]

PHOTOS are high-resolution photos that none of the models was trained on. Each is shrunk by the models' scale (bicubic, MATLAB's newer
rule), packed as JPEG by Pillow (4:2:0), unpacked and enlarged. "clean" leaves the JPEG out. With --crops, three places where the first two
models differ most after JPEG, at eight times their size: shrunk, bicubic, each model, the photo; look at them. Prints Markdown.
"""

import io
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from script import run

from conversion.source import ModelSource
from keras_models.data.bicubic import crop_to_multiple, enlarge, shrink
from keras_models.data.photo_files import list_photos
from keras_models.data.read_rgb import read_rgb
from keras_models.metrics import psnr_y, to_uint8

CROP = 40
"""Low-resolution pixels."""


def main(
    photos: Path,
    models: list[str],
    qualities: str = "50,60,70,85",
    crops: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Prints one line for bicubic and each model."""
    upscalers = {name: ModelSource.of(name).predictor() for name in models}
    (scale,) = {upscaler.scale for upscaler in upscalers.values()}
    columns = ["clean", *(int(word) for word in qualities.split(","))]
    scores: dict[tuple[str, str | int], list[float]] = {}
    apart = []
    for path in list_photos(photos).photos:
        high = crop_to_multiple(read_rgb(path), scale)
        shrunk = shrink(high, scale)
        for column in columns:
            low = shrunk if column == "clean" else _through_jpeg(shrunk, column)
            made = {"bicubic": enlarge(low, scale), **{name: _by(upscaler, low) for name, upscaler in upscalers.items()}}
            for name, image in made.items():
                scores.setdefault((name, column), []).append(psnr_y(image, high, scale))
            if column == columns[-2] and len(models) > 1:
                apart.append(_place(path.stem, low, high, made, scale))
    sys.stdout.write(f"| PSNR-Y, dB | {' | '.join(str(c) if c == 'clean' else f'JPEG {c}' for c in columns)} | mean of JPEG |\n")
    sys.stdout.write("|---" * (len(columns) + 2) + "|\n")
    for name in ("bicubic", *models):
        means = [float(np.mean(scores[name, column])) for column in columns]
        sys.stdout.write(f"| {name} | {' | '.join(f'{mean:.3f}' for mean in means)} | {np.mean(means[1:]):.3f} |\n")
    if crops is not None:
        crops.mkdir(parents=True, exist_ok=True)
        for _, stem, strip in sorted(apart, key=lambda found: -found[0])[:3]:
            strip.save(crops / f"{stem}.png")


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed).convert("RGB"))


def _by(upscaler: object, low: np.ndarray) -> np.ndarray:
    return to_uint8(upscaler.run(low.astype(np.float32) / np.float32(255)))


def _place(stem: str, low: np.ndarray, high: np.ndarray, made: dict[str, np.ndarray], scale: int) -> tuple[float, str, Image.Image]:
    """How far the first two models are apart where they are it most, and that place by all."""
    _, first, second = list(made.values())[:3]
    difference = np.abs(first.astype(np.float32) - second).mean(-1)
    side = CROP * scale
    sums = {
        (y, x): float(difference[y : y + side, x : x + side].mean())
        for y in range(0, len(high) - side + 1, side // 2)
        for x in range(0, high.shape[1] - side + 1, side // 2)
    }
    y, x = max(sums, key=lambda place: sums[place])
    shrunk = np.kron(low, np.ones((scale, scale, 1), np.uint8))
    tiles = [image[y : y + side, x : x + side] for image in (shrunk, *made.values(), high)]
    strip = Image.fromarray(np.concatenate(tiles, axis=1))
    return sums[y, x], stem, strip.resize((strip.width * 2, strip.height * 2), Image.Resampling.NEAREST)


if __name__ == "__main__":
    run(main, __doc__)
