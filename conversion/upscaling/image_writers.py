"""Writing photos fed row by row, and atomically: a finished file appears under its name, or nothing does."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from conversion.upscaling.images import ImageKind, vips_reason, with_metadata
from conversion.upscaling.png_stream import PngStream
from keras_models.system.atomic_files import atomic_output, scratch_file
from keras_models.system.errors import ImageError

if TYPE_CHECKING:
    import pyvips

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}
DEFAULT_QUALITY = {"jpeg": 92, "webp": 90}
_LARGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1}


class RowWriter(Protocol):
    """Takes rows of (n, width, bands) uint8 or uint16 from top to bottom."""

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""


@contextlib.contextmanager
def writing(
    target: Path, kind: ImageKind, source: "pyvips.Image", quality: int | None = None, size: tuple[int, int] | None = None
) -> Iterator[RowWriter]:
    """Open `target` for rows; it is put in place when the block ends well, and on any exception nothing is left behind.

    Args:
        target: file to write; its suffix names the format. It is replaced if it exists.
        kind: size and channels of the rows that will be fed; 16 bits become 8 in JPEG and WebP.
        source: pyvips image whose metadata and ICC profile are kept.
        quality: 1 to 100 for JPEG and WebP, None for the default.
        size: (width, height) to resample the finished picture to, None to keep it.

    Yields:
        The writer.

    Raises:
        ImageError: the format cannot hold the picture.
        OutputError: the file cannot be written.
    """
    check_writable(target, kind, quality, size)
    with atomic_output(target) as part:
        if FORMATS[target.suffix.lower()] == "png" and size is None:
            with part.open("wb") as file:
                png = PngStream(file, kind, source)
                yield png
                png.close()
        else:
            # libvips cannot be fed rows, but it streams a PNG; raw samples it would map into memory as a whole.
            with scratch_file(target) as stored:
                with stored.open("wb") as file:
                    png = PngStream(file, kind, level=0)
                    yield png
                    png.close()
                _save(stored, part, target, kind, source, quality, size)


def check_writable(target: Path, kind: ImageKind, quality: int | None = None, size: tuple[int, int] | None = None) -> None:
    """Say before any work is done that a file cannot become what was asked for.

    Args:
        target: as in `writing`.
        kind: as in `writing`.
        quality: as in `writing`.
        size: as in `writing`.

    Raises:
        ImageError: why not.
    """
    if target.suffix.lower() not in FORMATS:
        raise ImageError(f"{target}: format unknown from the name: end it in {' '.join(sorted(FORMATS))}")
    image_format = FORMATS[target.suffix.lower()]
    if quality is not None and image_format not in DEFAULT_QUALITY:
        raise ImageError(f"{target}: a quality says nothing for {image_format}, which keeps every pixel: leave --quality out")
    if kind.alpha and image_format == "jpeg":
        raise ImageError(f"{target}: the image has transparency, which JPEG cannot hold: choose --format png, webp or tiff")
    side = max(size or (kind.width, kind.height))
    if side > _LARGEST_SIDE[image_format]:
        limit = _LARGEST_SIDE[image_format]
        raise ImageError(f"{target}: {side} pixels are more than {image_format} can hold ({limit}): choose --format png")


def _save(
    stored: Path, part: Path, target: Path, kind: ImageKind, source: "pyvips.Image", quality: int | None, size: tuple[int, int] | None
) -> None:
    """Let libvips resample the rows that lie in an uncompressed PNG, and encode them into `part`, which becomes `target`."""
    from conversion.upscaling.libvips import pyvips

    image_format = FORMATS[target.suffix.lower()]

    image = pyvips.Image.pngload(str(stored), access="sequential", fail_on="error")
    if size is not None:
        image = _resample(image, kind, size)
        kind = replace(kind, width=size[0], height=size[1])
    if kind.depth == 16 and image_format in ("jpeg", "webp"):
        image = _to_8_bits(image, kind)
    image = with_metadata(image, source)
    try:
        if image_format == "png":
            image.pngsave(str(part), compression=1, filter="up")
        elif image_format == "jpeg":
            image.jpegsave(str(part), Q=quality or DEFAULT_QUALITY["jpeg"])
        elif image_format == "webp":
            image.webpsave(str(part), Q=quality or DEFAULT_QUALITY["webp"])
        else:
            large = kind.width * kind.height * kind.bands * kind.depth // 8 > 3 << 30
            image.tiffsave(str(part), compression="deflate", level=1, predictor="horizontal", bigtiff=large)
    except pyvips.Error as error:
        reason = vips_reason(error)
        raise ImageError(f"{target}: {image_format} cannot be written ({reason}): make room or choose another --format") from error


def _resample(image: "pyvips.Image", kind: ImageKind, size: tuple[int, int]) -> "pyvips.Image":
    """Resample by Lanczos, with colour weighted by opacity."""
    source_format = image.format
    if kind.alpha:
        image = image.premultiply(max_alpha=kind.white)
    image = image.resize(size[0] / kind.width, vscale=size[1] / kind.height, kernel="lanczos3")
    if kind.alpha:
        image = image.unpremultiply(max_alpha=kind.white)
        image = image.rint()
    return image.cast(source_format)


def _to_8_bits(image: "pyvips.Image", kind: ImageKind) -> "pyvips.Image":
    # 65535 / 257 = 255: rounded to the nearest, where a shift by 8 bits would round down.
    return (image / 257).rint().cast("uchar").copy(interpretation="b-w" if kind.colours == 1 else "srgb")
