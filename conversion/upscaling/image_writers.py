"""Writing photos fed row by row, and atomically: a finished file appears under its name, or nothing does."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from conversion.upscaling.embedding import (
    forget_tiff_resolution,
    jpeg_head,
    put_exif_into_webp,
    with_gain_map_told,
    write_jpeg,
)
from conversion.upscaling.exif_block import without_orientation
from conversion.upscaling.images import ImageKind, vips_reason
from conversion.upscaling.named_colours import hdr_name
from conversion.upscaling.photo_metadata import Metadata
from conversion.upscaling.png_stream import PngStream
from keras_models.data.photo_formats import ENDINGS
from keras_models.system.atomic_files import atomic_output, scratch_file
from keras_models.system.errors import ImageError

if TYPE_CHECKING:
    import pyvips

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
DEFAULT_QUALITY = {"jpeg": 92, "webp": 90, "avif": 80}
_LARGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1, "avif": 16384}
_AVIF_SPEED = 6
_MOST_AVIF_PIXELS = 50_000_000  # 2 GB: 96 million were measured to take 3.7
_PNG_ROWS = 64


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
        else:
            # libvips cannot be fed rows, but it streams a PNG; raw samples it would map into memory as a
            # whole.
            with scratch_file(target) as stored:
                with stored.open("wb") as file:
                    png = PngStream(file, kind, level=0)
                    yield png
                    png.close()
                try:
                    _save(stored, part, image_format, kind, metadata, quality, size)
                except _encoder_errors() as error:
                    reason = vips_reason(error)
                    raise ImageError(
                        f"{target}: {image_format} cannot be written ({reason}): make room or choose "
                        "another `format`"
                    ) from error


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


def _save(
    stored: Path,
    part: Path,
    image_format: str,
    kind: ImageKind,
    metadata: Metadata,
    quality: int | None,
    size: tuple[int, int] | None,
) -> None:
    """Resample the rows that lie in an uncompressed PNG, and encode them into `part`."""
    from conversion.upscaling.libvips import pyvips

    image = pyvips.Image.pngload(bytes(stored), access="sequential", fail_on="error")
    if size is not None:
        image = _resample(image, kind, size)
        kind = replace(kind, width=size[0], height=size[1])
    quality = quality or DEFAULT_QUALITY.get(image_format)
    if image_format == "png":
        _save_png(image, part, kind, metadata)
        return
    if kind.depth == 16 and image_format != "tiff":
        image, kind = _to_8_bits(image, kind), replace(kind, depth=8)
    profile = metadata.profile_for(kind.colours)
    image = _with_blocks(image, profile, metadata)
    if kind.colours == 1 and profile and image_format in ("webp", "avif"):  # which know no grey
        image = image.icc_transform("srgb", embedded=True)
    if image_format == "jpeg":
        _save_jpeg(image, part, metadata, quality)
    elif image_format == "webp":
        image.webpsave(bytes(part), Q=quality, keep="icc:xmp")
        if metadata.exif:
            put_exif_into_webp(part, metadata.exif, kind.width, kind.height, kind.alpha)
    elif image_format == "avif":
        _save_avif(image, part, kind, metadata, quality)
    else:
        large = kind.width * kind.height * kind.bands * kind.depth // 8 > 3 << 30
        image.tiffsave(
            bytes(part),
            compression="deflate",
            level=1,
            predictor="horizontal",
            bigtiff=large,
            keep="icc:xmp:iptc",
        )
        if metadata.resolution is None:
            forget_tiff_resolution(part)


def _with_blocks(image: "pyvips.Image", profile: bytes | None, metadata: Metadata) -> "pyvips.Image":
    """The image as libvips' savers take its metadata from."""
    from conversion.upscaling.libvips import pyvips

    across, down = metadata.resolution or (1.0, 1.0)
    image = image.copy(xres=across, yres=down)
    for name in image.get_fields():
        if name.endswith("-data"):
            image.remove(name)
    for name, block in (
        ("icc-profile-data", profile),
        ("xmp-data", metadata.xmp),
        ("iptc-data", metadata.iptc),
    ):
        if block:
            image.set_type(pyvips.GValue.blob_type, name, block)
    return image


def _save_png(image: "pyvips.Image", part: Path, kind: ImageKind, metadata: Metadata) -> None:
    """A resampled picture, by bands of rows, with the writer that all PNGs are written with."""
    from conversion.upscaling.libvips import pyvips

    region = pyvips.Region.new(image)
    with part.open("wb") as file:
        png = PngStream(file, kind, metadata)
        for top in range(0, kind.height, _PNG_ROWS):
            rows = min(_PNG_ROWS, kind.height - top)
            png.write(
                np.frombuffer(region.fetch(0, top, kind.width, rows), kind.dtype).reshape(
                    rows, kind.width, kind.bands
                )
            )
        png.close()


def _save_jpeg(image: "pyvips.Image", part: Path, metadata: Metadata, quality: int | None) -> None:
    if metadata.gain_map is None:
        head = jpeg_head(metadata)
        write_jpeg(part, head, lambda target: image.jpegsave_target(target, Q=quality, keep="icc"))
        return
    if image.bands == 1:  # which Ultra HDR does not know
        image = image.colourspace("srgb")
        image.remove("icc-profile-data")
    metadata.gain_map.put_on(image)
    part.write_bytes(with_gain_map_told(image.uhdrsave_buffer(Q=quality, keep="icc:gainmap"), metadata))


def _save_avif(
    image: "pyvips.Image", part: Path, kind: ImageKind, metadata: Metadata, quality: int | None
) -> None:
    """With Pillow, which writes EXIF as it is given; the encoder wants the whole picture in any case."""
    from PIL import Image

    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[image.bands]
    profile = bytes(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else None
    # Pillow writes EXIF anew if it has an orientation, and fails where it is odd; without one it is written
    # as it is.
    exif = metadata.exif and without_orientation(metadata.exif)
    blocks = {"icc_profile": profile, "exif": exif, "xmp": metadata.xmp}
    with Image.frombuffer(
        mode, (kind.width, kind.height), image.write_to_memory(), "raw", mode, 0, 1
    ) as picture:
        given = {name: block for name, block in blocks.items() if block}
        picture.save(part, "AVIF", quality=quality, subsampling="4:4:4", speed=_AVIF_SPEED, **given)


def _encoder_errors() -> tuple[type[Exception], ...]:
    from conversion.upscaling.libvips import pyvips

    return pyvips.Error, ValueError, MemoryError, RuntimeError, SyntaxError, struct.error


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
