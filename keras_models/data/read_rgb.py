"""A whole photo as 8-bit RGB, for training, measuring and calibrating."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from keras_models.data.photo_formats import photo_format, several_frames
from keras_models.system.errors import ImageError, one_line

MAX_PIXELS = 50_000_000
"""Of a photo that is decoded whole, to train or measure with; `upscale`, which reads by rows, has a limit
of its own.
"""
_DECODERS = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "tiff": "TIFF",
    "bmp": "BMP",
    "gif": "GIF",
    "heif": "AVIF",
}
_AV1 = (b"av1C", b"avif")

warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, in the middle of the progress bar


def read_rgb(path: Path) -> np.ndarray:
    """A photo as (H, W, 3) uint8 RGB, turned as its EXIF orientation says; grey becomes R = G = B, alpha is
    dropped.

    Raises:
        ImageError: not a photo, damaged, moving, of more than `MAX_PIXELS`, or with pixels of 32 bits.
    """
    with opened_photo(path) as image:
        return rgb(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def opened_photo(path: Path) -> Iterator[Image.Image]:
    """Yields Pillow's image; what Pillow raises inside of the block becomes one error.

    Raises:
        ImageError: not a photo, damaged, moving, or of more than `MAX_PIXELS`, which is seen before a pixel
        is decoded.
    """
    kind = photo_format(path)
    try:
        with _open(path, kind) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width}x{image.height} pixels, {MAX_PIXELS // 10**6} megapixels are the most"
                )
            # A JPEG may hold more pictures, such as a gain map or a depth map: they belong to the first,
            # which is the photo.
            frames = 1 if kind == "jpeg" else getattr(image, "n_frames", 1)
            if frames > 1:
                raise several_frames(path, frames)
            yield image
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders meet damage with any of a dozen types
        raise ImageError(f"{path}: cannot be read ({one_line(error, 120)}): convert it to PNG") from None


def _open(path: Path, kind: str) -> Image.Image:
    if kind == "heif" and not _is_av1(path):
        from pi_heif import HeifImageFile

        return HeifImageFile(path)
    return Image.open(path, formats=[_DECODERS[kind]])


def _is_av1(path: Path) -> bool:
    """Whether an HEIF file is AVIF: coded with AV1, whatever its name."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return any(word in head for word in _AV1) and b"hvcC" not in head


def rgb(image: Image.Image) -> np.ndarray:
    """Pillow's image as (H, W, 3) uint8 RGB, as `read_rgb` gives it.

    Raises:
        ValueError: pixels of 32 bits.
    """
    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off at 255
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits, whose white is not known")
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK" and profile:
        with contextlib.suppress(
            ImageCms.PyCMSError, OSError
        ):  # a profile that is no CMYK profile: as without one
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC  # that of `upscale`
            image = (
                ImageCms.profileToProfile(image, inks, ImageCms.createProfile("sRGB"), intent, "RGB") or image
            )
    return np.asarray(image.convert("RGB"))
