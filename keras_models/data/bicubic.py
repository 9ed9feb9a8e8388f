"""MATLAB's bicubic resizing, bit for bit: two rules for shrinking, and plain enlarging.

Kernel: Keys' cubic with a = -0.5 (Keys 1981, equation 4), stretched by the scale when shrinking (width 4 S), weights
normalised per output sample, rows (vertical pass) first, then columns. What differs between MATLAB's versions:

* "older" (made the `LRxS` files of Set5 and Set14): taps outside the image take the edge pixel; after each of the two
  passes the result is rounded half up and clipped to uint8.
* "newer" (BasicSR, DF2K, our training data): taps outside are mirrored with the edge pixel repeated; the picture is
  im / 255 in double; nothing is rounded between the passes; at the end floor(255 x + 0.5), clipped.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from keras_models.system.errors import ImageError

Rule = Literal["newer", "older"]
RULES = ("newer", "older")


def shrink(image: np.ndarray, scale: int, rule: Rule = "newer") -> np.ndarray:
    """The low-resolution picture that MATLAB's imresize(image, 1 / scale) gives.

    Args:
        image: (H, W) or (H, W, C) uint8. For pairs, crop it to multiples of `scale` first (`crop_to_multiple`).
        scale: positive int.
        rule: "newer" or "older", see above.

    Returns:
        (ceil(H / scale), ceil(W / scale)[, C]) uint8.

    Raises:
        ImageError: not uint8, not two or three axes, empty, a scale below 1, or an unknown rule.

    Example:
        >>> import keras_models, numpy
        >>> keras_models.shrink(numpy.zeros((40, 60, 3), numpy.uint8), 4).shape
        (10, 15, 3)
    """
    _check(image, scale)
    if rule not in RULES:
        raise ImageError(f"bicubic rule {rule!r}: give one of {RULES}")
    if image.dtype != np.uint8:
        raise ImageError(f"shrinking a {image.dtype} image: MATLAB's rules are defined on uint8: convert it first")
    if image.ndim == 3:  # apart, because a large photo in float64 takes gigabytes
        return np.stack([shrink(image[..., channel], scale, rule) for channel in range(image.shape[2])], axis=-1)
    if rule == "newer":
        return _to_uint8(255.0 * _two_passes(image / 255.0, 1 / scale, "mirror"))
    rows = _to_uint8(_vertical(image.astype(np.float64), 1 / scale, "clamp"))
    return _to_uint8(_horizontal(rows.astype(np.float64), 1 / scale, "clamp"))


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """Bicubic upscaling (the kernel not stretched, border mirrored): the baseline that networks are compared with.

    Args:
        image: (H, W) or (H, W, C), uint8 or float.
        scale: positive int.

    Returns:
        (H scale, W scale[, C]): uint8 input is rounded half up and clipped; float keeps its type, unrounded and unclipped.

    Raises:
        ImageError: not two or three axes, empty, or a scale below 1.
    """
    _check(image, scale)
    if image.dtype == np.uint8:
        return _to_uint8(255.0 * _two_passes(image / 255.0, scale, "mirror"))
    return _two_passes(image.astype(np.float64), scale, "mirror").astype(image.dtype)


def crop_to_multiple(image: np.ndarray, multiple: int) -> np.ndarray:
    """The top left part of (H, W, ...) whose sides are multiples of `multiple` (a view)."""
    height, width = image.shape[:2]
    return image[: height // multiple * multiple, : width // multiple * multiple]


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5, in the order of operations of MATLAB's imresize."""
    ax = np.abs(x)
    ax2, ax3 = ax**2, ax**3
    return (1.5 * ax3 - 2.5 * ax2 + 1) * (ax <= 1) + (-0.5 * ax3 + 2.5 * ax2 - 4 * ax + 2) * ((ax > 1) & (ax <= 2))


@lru_cache(maxsize=64)
def resize_matrix(size: int, factor: float, border: Literal["mirror", "clamp"]) -> csr_array:
    """The (ceil(size factor), size) sparse float64 matrix that resizes one axis: MATLAB's `contributions`.

    Args:
        size: input samples.
        factor: output / input size; below 1 the kernel is stretched.
        border: what a tap outside reads: the mirrored sample (edge repeated) or the edge.
    """
    stretch = min(factor, 1.0)
    width = 4 / stretch
    centre = np.arange(1, int(np.ceil(size * factor)) + 1) / factor + 0.5 * (1 - 1 / factor)
    left = np.floor(centre - width / 2)
    taps = left[:, None] + np.arange(int(np.ceil(width)) + 2)
    weights = stretch * cubic(stretch * (centre[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    columns = taps.astype(np.int64) - 1
    if border == "mirror":
        columns %= 2 * size
        columns = np.where(columns >= size, 2 * size - 1 - columns, columns)
    else:
        columns = columns.clip(0, size - 1)
    rows = np.repeat(np.arange(len(centre)), taps.shape[1])
    used = weights.ravel() != 0
    return csr_array((weights.ravel()[used], (rows[used], columns.ravel()[used])), shape=(len(centre), size))


def _two_passes(image: np.ndarray, factor: float, border: str) -> np.ndarray:
    return _horizontal(_vertical(image, factor, border), factor, border)


def _vertical(image: np.ndarray, factor: float, border: str) -> np.ndarray:
    matrix = resize_matrix(image.shape[0], factor, border)
    return (matrix @ image.reshape(image.shape[0], -1)).reshape(matrix.shape[0], *image.shape[1:])


def _horizontal(image: np.ndarray, factor: float, border: str) -> np.ndarray:
    return np.ascontiguousarray(_vertical(np.ascontiguousarray(image.swapaxes(0, 1)), factor, border).swapaxes(0, 1))


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.floor(image + 0.5).clip(0, 255).astype(np.uint8)


def _check(image: np.ndarray, scale: int) -> None:
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"bicubic resizing of an array of shape {image.shape}: give (H, W) or (H, W, C), not empty")
    if scale < 1:
        raise ImageError(f"bicubic resizing by {scale}: give a whole number of at least 1")
