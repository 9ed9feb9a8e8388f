"""A whole photo as 8-bit RGB, for training, measuring and calibrating."""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from keras_models.data.photo_formats import photo_format, several_frames
from keras_models.data.tiff_layout import MIN_IS_WHITE, PLAIN, tiff_layout
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
_PNG_CHANNELS = {2: 3, 4: 2, 6: 4}
"""Colour type of a PNG -> samples of a pixel, where they are more than one."""
_MOST_DEFLATED = 1032
_AV1 = (b"av1C", b"avif")
_ORIENTATION, _BITS, _PHOTOMETRIC = 0x0112, 258, 262
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation that EXIF tells -> what makes the picture upright."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, in the middle of the progress bar


def read_rgb(path: Path) -> np.ndarray:
    """A photo as (H, W, 3) uint8 RGB, turned as its EXIF orientation says; grey becomes R = G = B, alpha is
    dropped.

    Raises:
        ImageError: not a photo, damaged, moving, of more than `MAX_PIXELS`, or with pixels of 32 bits.
    """
    with opened_photo(path) as image:
        return rgb(upright(image))


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
            if kind == "png":
                _refuse_hollow_png(path)
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


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says, and by nothing else.

    Pillow's own function would turn by XMP and by texts of a PNG too, which viewers and `upscale` do not.
    """
    image.info.pop("xmp", None)  # a TIFF is turned while it is loaded, by this too
    image.load()
    told = Image.Exif()
    told.load(image.info.get("exif") or b"")
    turn = _TURNS.get(told.get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def _open(path: Path, kind: str) -> Image.Image:
    if kind == "heif":
        import pi_heif

        if not _is_av1(path):
            return pi_heif.HeifImageFile(path)
        whole = Image.open(path, formats=["AVIF"])
        if sorted(whole.size) != sorted(pi_heif.open_heif(path, convert_hdr_to_8bit=False).size):
            raise ValueError("a part of the picture is cut away by its container, which is not read here")
        return whole
    image = Image.open(path, formats=[_DECODERS[kind]])
    if kind == "tiff":
        _refuse_layout(path, image.mode)
    return image


def _refuse_hollow_png(path: Path) -> None:
    """Deflate unpacks a byte to 1,032 at most: a small file that names millions of pixels is known to end early."""
    with path.open("rb") as file:
        width, height, depth, colour = struct.unpack_from(">IIBB", file.read(26), 16)
    if height * (width * depth * _PNG_CHANNELS.get(colour, 1) // 8) > _MOST_DEFLATED * path.stat().st_size:
        raise ValueError(f"{width}x{height} pixels are more than its {path.stat().st_size:,} bytes can hold")


def _refuse_layout(path: Path, mode: str) -> None:
    """Pillow mixes up the bytes of 16-bit colours in separate planes, where nothing is packed."""
    layout = tiff_layout(path)
    if layout is None:
        return
    if layout.separate and layout.compression == PLAIN and max(layout.bits) > 8 and mode in ("RGB", "RGBA", "CMYK"):
        raise ValueError("16 bits a sample in separate planes")


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
        return np.repeat(_high_bytes(image)[..., None], 3, axis=-1)
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


def _high_bytes(image: Image.Image) -> np.ndarray:
    """(H, W) uint8 of grey with more than 8 bits: a TIFF may have fewer than 16, and 0 as white, which Pillow leaves as they are."""
    samples = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (16,))[0]
    if not 8 < bits <= 16:
        raise ValueError(f"{bits} bits in samples of 16")
    grey = (samples >> (bits - 8)).astype(np.uint8)
    return 255 - grey if tags.get(_PHOTOMETRIC) == MIN_IS_WHITE else grey
