"""A low-res side like a real photo's: blur, bicubic shrinking, noise and JPEG, instead of clean bicubic.

Follows the classical (first-order) degradation model as in Real-ESRGAN (Wang et al. 2021, equation 1 and section 4.1):
x = JPEG(shrink(y * k) + n), with anisotropic Gaussian kernels of 21 pixels, sigma 0.2 to 3 and any angle; Gaussian noise
of sigma 1 to 30 or Poisson noise of scale 0.05 to 3, grey with p = 0.4; JPEG quality 30 to 95. Left out: the second
round, the sinc filters, the random resizing and the generalised and plateau-shaped kernels.
"""

import io

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

from keras_models.data.bicubic import shrink

KERNEL = 21
SIGMA = (0.2, 3.0)
GAUSSIAN_NOISE = (1.0, 30.0)
POISSON_NOISE = (0.05, 3.0)
GREY_NOISE = 0.4
JPEG_QUALITY = (30, 95)


def degrade(high: np.ndarray, scale: int, rng: np.random.Generator) -> np.ndarray:
    """A low-res patch as a camera and a messenger might have left it.

    Args:
        high: (H, W, 3) uint8 RGB; sides are multiples of `scale`. Its border is mirrored for the blur.
        scale: 2, 3 or 4.
        rng: all randomness comes from it.

    Returns:
        (H / scale, W / scale, 3) uint8 RGB.
    """
    sigma_x, sigma_y = rng.uniform(*SIGMA, 2)
    blurred = _filter(high.astype(np.float64), gaussian_kernel(sigma_x, sigma_y, rng.uniform(0, np.pi)))
    low = shrink(_to_uint8(blurred), scale)
    return _jpeg(_to_uint8(low + _noise(low.astype(np.float64), rng)), int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1)))


def gaussian_kernel(sigma_x: float, sigma_y: float, angle: float) -> np.ndarray:
    """(21, 21) anisotropic Gaussian that sums to 1; sigmas in pixels, angle in radians."""
    y, x = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    return kernel / kernel.sum()


def _filter(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    half = KERNEL // 2
    padded = np.pad(image, ((half, half), (half, half), (0, 0)), "symmetric")
    return fftconvolve(padded, kernel[..., None], "valid", axes=(0, 1))


def _noise(low: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    channels = 1 if rng.random() < GREY_NOISE else 3
    if rng.random() < 0.5:
        return rng.normal(0, rng.uniform(*GAUSSIAN_NOISE), (*low.shape[:2], channels))
    clean = low if channels == 3 else low.mean(axis=-1, keepdims=True)
    return (rng.poisson(clean) - clean) * rng.uniform(*POISSON_NOISE)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.rint(image).clip(0, 255).astype(np.uint8)
