"""PSNR and SSIM exactly as super-resolution papers measure them (BasicSR's functions, without its dependencies).

Pixels are uint8; `border` pixels (the scale) are cut from every side; Y is the luma of BT.601 in 16..235.
"""

from dataclasses import dataclass

import numpy as np

from keras_models.system.errors import ImageError

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


@dataclass(frozen=True)
class Quality:
    """What one result scores: PSNR in dB (infinite for equal pictures), SSIM in -1..1."""

    psnr_y: float
    ssim_y: float
    psnr_rgb: float


def measure(result: np.ndarray, truth: np.ndarray, scale: int) -> Quality:
    """All scores of one picture.

    Args:
        result: (H, W, 3) uint8 RGB.
        truth: (H, W, 3) uint8 RGB, the ground truth, cropped to the low-resolution size x scale.
        scale: pixels cut from every side.

    Raises:
        ImageError: different shapes, wrong type, or too small to cut and to hold an SSIM window.

    Example:
        >>> import keras_models, numpy
        >>> picture = numpy.random.default_rng(0).integers(0, 256, (32, 32, 3), numpy.uint8)
        >>> bool(round(keras_models.measure(picture, picture // 2, 4).ssim_y, 2) < 1)
        True
    """
    return Quality(psnr_y(result, truth, scale), ssim_y(result, truth, scale), psnr_rgb(result, truth, scale))


def to_uint8(output: np.ndarray) -> np.ndarray:
    """A network's output, float in [0, 1] give or take, as uint8: x 255, rounded half to even, clipped."""
    return np.rint(np.asarray(output, np.float32) * np.float32(255)).clip(0, 255).astype(np.uint8)


def as_rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 from (H, W) grey, (H, W, 1) or (H, W, 3): grey counts as R = G = B, as in BasicSR."""
    image = image[..., None] if image.ndim == 2 else image
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image[..., :3]


def luma(image: np.ndarray) -> np.ndarray:
    """Y of uint8 RGB (H, W, 3): (H, W) float32, 16..235, unrounded, but kept as float32 / 255 in between as BasicSR does."""
    y = np.dot(image.astype(np.float32) / np.float32(255), [65.481, 128.553, 24.966]) + 16.0
    return (y / 255).astype(np.float32) * np.float32(255)


def psnr_y(result: np.ndarray, truth: np.ndarray, border: int) -> float:
    """PSNR of the Y channel, dB; arguments as in `measure`.

    Example:
        >>> import keras_models, numpy
        >>> picture = numpy.random.default_rng(0).integers(0, 256, (32, 32, 3), numpy.uint8)
        >>> bool(round(keras_models.psnr_y(picture, picture // 2, 4), 1) < 20)
        True
    """
    result, truth = _cut(result, truth, border)
    return _psnr(luma(result), luma(truth))


def psnr_rgb(result: np.ndarray, truth: np.ndarray, border: int) -> float:
    """PSNR over all samples of R, G, B, dB; arguments as in `measure`."""
    return _psnr(*_cut(result, truth, border))


def ssim_y(result: np.ndarray, truth: np.ndarray, border: int) -> float:
    """SSIM of the Y channel (Wang et al. 2004): Gaussian 11x11, sigma 1.5, valid area only; arguments as in `measure`.

    Example:
        >>> import keras_models, numpy
        >>> picture = numpy.random.default_rng(0).integers(0, 256, (32, 32, 3), numpy.uint8)
        >>> bool(keras_models.ssim_y(picture, picture, 4) > 0.99)
        True
    """
    result, truth = _cut(result, truth, border)
    if min(result.shape[:2]) < SSIM_WINDOW:
        raise ImageError(f"SSIM of {result.shape[1]}x{result.shape[0]} pixels: give at least {SSIM_WINDOW}x{SSIM_WINDOW} inside the border")
    x, y = luma(result).astype(np.float64), luma(truth).astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))))


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(20 * np.log10(255.0 / np.sqrt(error)))


def _cut(result: np.ndarray, truth: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    if result.shape != truth.shape or result.ndim != 3 or result.shape[-1] != 3:
        raise ImageError(f"comparing pictures of shapes {result.shape} and {truth.shape}: give two equal shapes (H, W, 3)")
    if result.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ImageError(f"comparing pictures of types {result.dtype} and {truth.dtype}: give uint8")
    if min(result.shape[:2]) <= 2 * border:
        raise ImageError(f"a picture of {result.shape[1]}x{result.shape[0]}: nothing is left after cutting {border} pixels from every side")
    inside = slice(border, -border or None)
    return result[inside, inside], truth[inside, inside]


def _blur(image: np.ndarray) -> np.ndarray:
    """Gaussian window over the valid area, as two one-dimensional passes."""
    distance = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(distance**2) / (2 * SSIM_SIGMA**2))
    weights /= weights.sum()
    rows = sum(w * image[i : len(image) - SSIM_WINDOW + 1 + i] for i, w in enumerate(weights))
    return sum(w * rows[:, i : rows.shape[1] - SSIM_WINDOW + 1 + i] for i, w in enumerate(weights))
