"""Writing photos fed row by row, and atomically: a finished file appears under its name, or nothing does."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from conversion.upscaling.encoders import DEFAULT_QUALITY, Encoding, EncodingError, encoding
from conversion.upscaling.images import ImageKind
from conversion.upscaling.named_colours import hdr_name
from conversion.upscaling.photo_metadata import Metadata
from conversion.upscaling.png_stream import PngStream
from keras_models.data.photo_formats import ENDINGS
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ImageError

FORMATS = {
    **{
        ending: name
        for name in ("png", "jpeg", "webp", "tiff")
        for ending in ENDINGS[name]
        if ending not in (".apng", ".mpo")
    },
    ".avif": "avif",
}
"""Ending of an output's name -> its format."""
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "avif": ".avif"}
"""Format -> the ending that outputs get."""
_LARGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1, "avif": 16384}
_MOST_AVIF_PIXELS = 50_000_000  # 2 GB: 96 million were measured to take 3.7


class RowWriter(Protocol):
    """Takes rows of (n, width, bands) uint8 or uint16 from top to bottom."""

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""


@contextlib.contextmanager
def writing(
    target: Path,
    kind: ImageKind,
    metadata: Metadata,
    quality: int | None = None,
    size: tuple[int, int] | None = None,
) -> Iterator[RowWriter]:
    """Open `target` for rows; it is put in place when the block ends well, and on any exception nothing is
    left behind.

    Args:
        target: file to write; its suffix names the format. It is replaced if it exists.
        kind: size and channels of the rows that will be fed; 16 bits become 8 in JPEG, WebP and AVIF.
        metadata: what the photo carried; it is made true for the picture here.
        quality: 1 to 100 for JPEG, WebP and AVIF, None for the default.
        size: (width, height) to resample the finished picture to, None to keep it.

    Yields:
        The writer.

    Raises:
        ImageError: the format cannot hold the picture.
        OutputError: the file cannot be written.
    """
    check_writable(target, kind, quality, size, metadata)
    image_format = FORMATS[target.suffix.lower()]
    metadata = metadata.for_picture(*(size or (kind.width, kind.height)), gain_map=image_format == "jpeg")
    with atomic_output(target) as part:
        if image_format == "png" and size is None:
            with part.open("wb") as file:
                png = PngStream(file, kind, metadata)
                yield png
                png.close()
            return
        try:
            with encoding(part, kind, Encoding(image_format, metadata, quality, size)) as png:
                yield png
        except EncodingError as error:
            raise ImageError(f"{target}: {image_format} cannot be written ({error}): make room or choose another `format`") from error


def check_writable(
    target: Path,
    kind: ImageKind,
    quality: int | None = None,
    size: tuple[int, int] | None = None,
    metadata: Metadata | None = None,
) -> None:
    """Say before any work is done that a file cannot become what was asked for.

    Args:
        target: as in `writing`.
        kind: as in `writing`.
        quality: as in `writing`.
        size: as in `writing`.
        metadata: as in `writing`; None where it is not known yet.

    Raises:
        ImageError: why not.
    """
    if target.suffix.lower() not in FORMATS:
        raise ImageError(f"{target}: format unknown from the name: end it in {' '.join(sorted(FORMATS))}")
    image_format = FORMATS[target.suffix.lower()]
    if quality is not None and image_format not in DEFAULT_QUALITY:
        raise ImageError(
            f"{target}: a quality says nothing for {image_format}, which keeps every pixel: leave "
            "`quality` out"
        )
    if kind.alpha and image_format == "jpeg":
        raise ImageError(
            f"{target}: the image has transparency, which JPEG cannot hold: choose `format` png, webp, "
            "tiff or avif"
        )
    curve = hdr_name(metadata.colours) if metadata else None
    if curve and image_format != "png":
        raise ImageError(
            f"{target}: the photo's colours are {curve} (HDR), which only PNG can say here: choose "
            "`format` png"
        )
    width, height = size or (kind.width, kind.height)
    if image_format == "avif" and width * height > _MOST_AVIF_PIXELS:
        most = f"more than the {_MOST_AVIF_PIXELS // 10**6} million of an AVIF, whose encoder takes 40 bytes a pixel"
        raise ImageError(f"{target}: {width}x{height} pixels are {most}: choose `format` webp or jpeg")
    side = max(width, height)
    if side > _LARGEST_SIDE[image_format]:
        limit = _LARGEST_SIDE[image_format]
        raise ImageError(
            f"{target}: {side} pixels are more than {image_format} can hold ({limit}): choose `format` png"
        )
