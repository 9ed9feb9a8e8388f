"""Calibration photos for a network that enlarges: crops of photos made small first, as the pictures that it will be given."""

from pathlib import Path

import numpy as np

from conversion.calibration_images import drawn_photos, photo_paths
from keras_models.data.bicubic import crop_to_multiple, shrink
from keras_models.system.errors import ImageError

PLACES = 12
LEAST_SPAN = 0.3
"""From the darkest hundredth to the brightest of all crops, values in [0, 1]: ranges measured on less would cut off other photos."""
FEW = 12
"""Photos below which the fit leans on what they happen to show; some dozens are meant."""


def low_resolution_crops(folder: str | Path, size: int, scale: int, count: int, seed: int = 0) -> np.ndarray:
    """Crops of a folder's photos after MATLAB's bicubic shrinking, one of each photo, more of each where photos are few.

    Two of three are the most detailed of some places in their photo: sharp detail is where values inside a network are
    largest, and a range that was fitted to smooth places cuts it off (1.9 dB on one sharp photo of LKDN's validation).

    Args:
        folder: of photos, searched through.
        size: of a crop, low-resolution pixels.
        scale: of the network; the photos are shrunk by it.
        count: crops.
        seed: chooses photos and places.

    Returns:
        (count, size, size, 3) float32 in [0, 1]. Photos that cannot be used are left out with a `LeftOut` warning.

    Raises:
        ImageError: no such folder, no photo in it, none that is large enough, or only photos without light and shade.
    """
    if not photo_paths(folder):
        raise ImageError(f"{folder}: no photos in it: give a folder of photos to calibrate on")
    rng = np.random.default_rng(seed)
    least = size * scale, size * scale
    photos = drawn_photos(folder, rng, least, count, lambda pixels: shrink(crop_to_multiple(pixels, scale), scale))
    if not photos:
        raise ImageError(
            f"{folder}: no photo of at least {size * scale}x{size * scale} pixels, which a calibration crop of {size}x{size} takes "
            f"at x{scale}: give larger photos"
        )
    crops = np.stack([_crop(photos[i % len(photos)], size, rng, 1 if i % 3 == 2 else PLACES) for i in range(count)])
    low, high = np.percentile(crops, (1, 99))
    if high - low < LEAST_SPAN:
        raise ImageError(
            f"{folder}: its photos have values from {low:.2f} to {high:.2f} of 0 to 1, and nothing can be fitted to that: give some dozens "
            "of photos with dark and bright places"
        )
    return crops


def _crop(photo: np.ndarray, size: int, rng: np.random.Generator, places: int) -> np.ndarray:
    crops = []
    for _ in range(places):
        top, left = (int(rng.integers(side - size + 1)) for side in photo.shape[:2])
        crops.append(photo[top : top + size, left : left + size].astype(np.float32) / 255)
    return max(crops, key=_detail)


def _detail(crop: np.ndarray) -> float:
    """Mean difference of neighbouring pixels."""
    return float(np.abs(np.diff(crop, axis=0)).mean() + np.abs(np.diff(crop, axis=1)).mean())
