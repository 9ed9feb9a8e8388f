"""A low-res side like a real photo's: blur, bicubic shrinking, noise and JPEG, instead of clean bicubic.

Follows the classical (first-order) degradation model as in Real-ESRGAN (Wang et al. 2021, equation 1 and section 4.1):
x = JPEG(shrink(y * k) + n), with anisotropic Gaussian kernels of 21 pixels, sigma 0.2 to 3 and any angle; Gaussian noise
of sigma 1 to 30 or Poisson noise of scale 0.05 to 3, grey with p = 0.4; JPEG quality 30 to 95. Left out: the second
round, the sinc filters, the random resizing and the generalised and plateau-shaped kernels. "real" is that; "photo" is
what a good phone and a messenger leave, by choice and not from a paper: little blur and noise, quality 50 to 95, and a
quarter of the patches clean, so that clean photos stay sharp.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

from keras_models.data.bicubic import shrink

KERNEL = 21
GREY_NOISE = 0.4
_JPEG_BLOCK = 16
"""Side of what JPEG codes as one, with halved colour."""


@dataclass(frozen=True)
class Degradation:
    """How much is done to a patch; each pair is drawn from evenly.

    Attributes:
        sigma: of the blur, high-resolution pixels.
        gaussian_noise: sigma, grey levels.
        poisson_noise: factor of the counting noise of a grey level.
        jpeg_quality: as Pillow counts it.
        clean: share of the patches that are only shrunk.
    """

    sigma: tuple[float, float]
    gaussian_noise: tuple[float, float]
    poisson_noise: tuple[float, float]
    jpeg_quality: tuple[int, int]
    clean: float = 0.0


DEGRADATIONS = {
    "real": Degradation((0.2, 3.0), (1.0, 30.0), (0.05, 3.0), (30, 95)),
    "photo": Degradation((0.1, 1.0), (0.0, 5.0), (0.0, 0.4), (50, 95), clean=0.25),
}


def degrade(high: np.ndarray, scale: int, rng: np.random.Generator, how: Degradation = DEGRADATIONS["real"]) -> np.ndarray:
    """A low-res patch as a camera and a messenger might have left it.

    Args:
        high: (H, W, 3) uint8 RGB; sides are multiples of `scale`. Its border is mirrored for the blur.
        scale: 2, 3 or 4.
        rng: all randomness comes from it.
        how: how much of it.

    Returns:
        (H / scale, W / scale, 3) uint8 RGB.
    """
    if how.clean and rng.random() < how.clean:
        return shrink(high, scale)
    sigma_x, sigma_y = rng.uniform(*how.sigma, 2)
    blurred = _filter(high.astype(np.float64), gaussian_kernel(sigma_x, sigma_y, rng.uniform(0, np.pi)))
    low = shrink(_to_uint8(blurred), scale)
    noisy = _to_uint8(low + _noise(low.astype(np.float64), rng, how))
    return _jpeg(noisy, int(rng.integers(how.jpeg_quality[0], how.jpeg_quality[1] + 1)), *rng.integers(_JPEG_BLOCK, size=2))


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


def _noise(low: np.ndarray, rng: np.random.Generator, how: Degradation) -> np.ndarray:
    channels = 1 if rng.random() < GREY_NOISE else 3
    if rng.random() < 0.5:
        return rng.normal(0, rng.uniform(*how.gaussian_noise), (*low.shape[:2], channels))
    clean = low if channels == 3 else low.mean(axis=-1, keepdims=True)
    return (rng.poisson(clean) - clean) * rng.uniform(*how.poisson_noise)


def _jpeg(image: np.ndarray, quality: int, top: int, left: int) -> np.ndarray:
    """The image out of a JPEG whose blocks begin so many pixels above and left of it, as they do around a part of a photo."""
    file = io.BytesIO()
    padded = np.pad(image, ((top, 0), (left, 0), (0, 0)), "symmetric")
    Image.fromarray(padded).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))[top:, left:]


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.rint(image).clip(0, 255).astype(np.uint8)
