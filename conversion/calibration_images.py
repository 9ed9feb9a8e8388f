"""Calibration images: what ranges are measured on, from a folder of photos or made up by a seeded generator."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_models.data.bicubic import shrink
from keras_models.data.photo_files import list_photos, some_names
from keras_models.data.read_rgb import read_rgb
from keras_models.system.errors import ImageError, LeftOut


def synthetic_images(height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Images (1, H, W, 3) float32 in [0, 1] that cover what photographs do: dead leaves, noise, edges, ramps, flat ones.

    Dead leaves (overlapping discs of random size and colour, sizes ~ r**-3) have the edges and the power spectrum of
    photographs (Lee, Mumford and Huang, 2001); noise has 2 to 8 times their range inside these networks.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = np.stack([x / max(width - 1, 1), y / max(height - 1, 1), (x + y) / max(width + height - 2, 1)], -1)
    checks = ((x + y) % 2)[..., None].repeat(3, -1)
    bars = ((x // 3) % 2)[..., None] * np.array([1, 0, 0], np.float32) + ((y // 5) % 2)[..., None] * np.array([0, 1, 1], np.float32)
    images = [_dead_leaves(height, width, rng) for _ in range(4)]
    images += [rng.random((height, width, 3)), rng.integers(0, 2, (height, width, 3)), ramp, checks, bars.clip(0, 1)]
    images += [np.full((height, width, 3), v) for v in (0.0, 0.5, 1.0)]
    return [np.asarray(image, np.float32)[None] for image in images]


def photo_like_images(height: int, width: int, count: int = 4, seed: int = 0) -> list[np.ndarray]:
    """Dead leaves (1, H, W, 3) float32 in [0, 1], drawn four times as large and shrunk: as sharp as the sharpest photographs."""
    rng = np.random.default_rng(seed)
    large = (np.round(255 * _dead_leaves(4 * height, 4 * width, rng)).astype(np.uint8) for _ in range(count))
    return [shrink(image, 4)[None].astype(np.float32) / 255 for image in large]


def _dead_leaves(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    image = np.zeros((height, width, 3), np.float32)
    y, x = np.mgrid[0:height, 0:width]
    smallest, largest = 1.5, max(height, width) / 3
    for _ in range(250):
        u = rng.random()
        radius = (smallest**-2 + u * (largest**-2 - smallest**-2)) ** -0.5  # inverse of the distribution function of r**-3
        centre_y, centre_x = rng.random() * height, rng.random() * width
        box = tuple(slice(max(int(c - radius), 0), int(c + radius) + 2) for c in (centre_y, centre_x))
        image[box][(y[box] - centre_y) ** 2 + (x[box] - centre_x) ** 2 < radius**2] = rng.random(3)
    return image


def photo_paths(folder: str | Path) -> list[Path]:
    """The photos under a folder, sorted.

    Raises:
        ImageError: no such folder.
    """
    return list(list_photos(folder).photos)


def drawn_photos(
    folder: str | Path,
    rng: np.random.Generator,
    least: tuple[int, int],
    count: int,
    take: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
) -> list[np.ndarray]:
    """Photos of a folder in an order that the generator draws.

    Args:
        folder: of photos, searched through.
        rng: draws.
        least: (height, width) that a photo must have.
        count: how many, if there are as many.
        take: what is kept of a photo, from (H, W, 3) uint8.

    Returns:
        What was taken of each. A photo that is met and cannot be used is left out with a `LeftOut` warning.

    Raises:
        ImageError: no such folder.
    """
    listing, taken, small = list_photos(folder), list[np.ndarray](), list[str]()
    for path, reason in listing.passed_over:
        if "cannot be" in reason:
            warnings.warn(LeftOut(f"left out: {path}: {reason}"), stacklevel=3)
    for index in rng.permutation(len(listing.photos)):
        if len(taken) == count:
            break
        path = listing.photos[index]
        try:
            pixels = read_rgb(path)
        except ImageError as error:
            warnings.warn(LeftOut(f"left out: {error}"), stacklevel=3)
            continue
        if pixels.shape[0] < least[0] or pixels.shape[1] < least[1]:
            small.append(path.name)
        else:
            taken.append(take(pixels))
    if small and taken:
        warnings.warn(LeftOut(f"left out: smaller than {least[1]}x{least[0]} pixels: {some_names(small)}"), stacklevel=3)
    return taken


def photo_crops(folder: str | Path, height: int, width: int, count: int = 16, seed: int = 0) -> list[np.ndarray]:
    """Crops (1, H, W, 3) float32 in [0, 1] of a folder's photos, chosen by the seed.

    Raises:
        ImageError: no readable photo of at least that size in the folder.
    """
    rng = np.random.default_rng(seed)

    def crop(pixels: np.ndarray) -> np.ndarray:
        top, left = rng.integers(pixels.shape[0] - height + 1), rng.integers(pixels.shape[1] - width + 1)
        return pixels[None, top : top + height, left : left + width].astype(np.float32) / 255

    crops = drawn_photos(folder, rng, (height, width), count, crop)
    if not crops:
        raise ImageError(f"{folder}: no photo of at least {width}x{height} pixels in it: give larger photos or a smaller `tile`")
    return crops
