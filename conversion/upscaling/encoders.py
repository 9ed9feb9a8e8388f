"""What libvips and Pillow encode: resampled pictures, JPEG, WebP, TIFF and AVIF, from rows that are encoded while they come."""

import contextlib
import errno
import os
import queue
import struct
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conversion.upscaling.embedding import forget_tiff_resolution, jpeg_head, put_exif_into_webp, with_gain_map_told, write_jpeg
from conversion.upscaling.exif_block import without_orientation
from conversion.upscaling.images import ImageKind, vips_reason
from conversion.upscaling.photo_metadata import Metadata
from conversion.upscaling.png_stream import PngStream

if TYPE_CHECKING:
    import pyvips

DEFAULT_QUALITY = {"jpeg": 92, "webp": 90, "avif": 80}
_AVIF_SPEED = 6
_PNG_ROWS = 64
_WAITING = 8  # pieces of a megabyte at most that may wait for the encoder
_LOOK_S = 0.1


@dataclass(frozen=True)
class Encoding:
    """What becomes of a picture.

    Attributes:
        image_format: "png", "jpeg", "webp", "tiff" or "avif".
        metadata: goes into the file.
        quality: 1 to 100, None for the default.
        size: (width, height) to resample to, None to keep it.
    """

    image_format: str
    metadata: Metadata
    quality: int | None
    size: tuple[int, int] | None


@contextlib.contextmanager
def encoding(part: Path, kind: ImageKind, how: Encoding) -> Iterator[PngStream]:
    """A writer of rows, which another thread encodes into `part`; the file is whole when the block has ended well.

    libvips cannot be fed rows, but it reads a PNG as it comes; its samples are not compressed.

    Args:
        part: file to write.
        kind: size and channels of the rows.
        how: what becomes of them.

    Raises:
        EncodingError: the encoder does not take the picture.
        OSError: the disk is full.
    """
    feed = _Feed()
    with ThreadPoolExecutor(1, "encode") as pool:
        try:  # a signal may come at any moment from here on, and the encoder must hear of the end
            encoded = feed.encoded = pool.submit(_encode, feed, part, kind, how)
            png = PngStream(feed, kind, level=0)
            yield png
            png.close()
        except _EncoderEnded:
            _wait_for(encoded)
            raise
        finally:
            feed.end()
        _wait_for(encoded)


class EncodingError(Exception):
    """Why a picture was not encoded, in the encoder's words."""


class _EncoderEnded(Exception):
    """It takes no more, which before the last row means that it failed."""


def _wait_for(encoded: Future[None]) -> None:
    from conversion.upscaling.libvips import pyvips

    try:
        encoded.result()
    except (pyvips.Error, ValueError, MemoryError, RuntimeError, SyntaxError, struct.error) as error:
        traceback.clear_frames(error.__traceback__)  # whose pictures keep the file open
        full = os.strerror(errno.ENOSPC)
        if full in str(error):  # libvips says it among other words
            raise OSError(errno.ENOSPC, full) from None
        raise EncodingError(vips_reason(error)) from None


class _Feed:
    """A file for `PngStream` whose bytes libvips takes in another thread.

    Attributes:
        encoded: of the encoder, for whom nobody waits once it has ended; None until it is known to have begun.
    """

    encoded: Future[None] | None = None

    def __init__(self) -> None:
        self._pieces: queue.Queue[bytes] = queue.Queue(_WAITING)
        self._piece, self._taken = b"", 0

    def write(self, data: bytes) -> int:
        """Waits for room; raises `_EncoderEnded` where there will be none. An empty piece would be the end."""
        while data:
            try:
                self._pieces.put(data, timeout=_LOOK_S)
                break
            except queue.Full:
                if self._ended():
                    raise _EncoderEnded from None
        return len(data)

    def end(self) -> None:
        """Nothing follows: the encoder finishes, or finds the PNG cut short."""
        while not self._ended():
            with contextlib.suppress(queue.Full):
                self._pieces.put(b"", timeout=_LOOK_S)
                return

    def _ended(self) -> bool:
        return self.encoded is not None and self.encoded.done()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end and ever after."""
        if self._taken == len(self._piece):
            self._piece, self._taken = self._pieces.get(), 0
            if not self._piece:
                self._pieces.put(b"")
        start, self._taken = self._taken, min(self._taken + size, len(self._piece))
        return self._piece[start : self._taken]


def _encode(feed: _Feed, part: Path, kind: ImageKind, how: Encoding) -> None:
    from conversion.upscaling.libvips import pyvips

    source = pyvips.SourceCustom()
    source.on_read(feed.read)
    image = pyvips.Image.pngload_source(source, access="sequential", fail_on="error")
    metadata = how.metadata
    if how.size is not None:
        image = _resample(image, kind, how.size)
        kind = replace(kind, width=how.size[0], height=how.size[1])
    quality = how.quality or DEFAULT_QUALITY.get(how.image_format)
    if how.image_format == "png":
        _save_png(image, part, kind, metadata)
        return
    if kind.depth == 16 and how.image_format != "tiff":
        image, kind = _to_8_bits(image, kind), replace(kind, depth=8)
    profile = metadata.profile_for(kind.colours)
    image = _with_blocks(image, profile, metadata)
    if kind.colours == 1 and profile and how.image_format in ("webp", "avif"):  # which know no grey
        image = image.icc_transform("srgb", embedded=True)
    if how.image_format == "jpeg":
        _save_jpeg(image, part, metadata, quality)
    elif how.image_format == "webp":
        image.webpsave(bytes(part), Q=quality, keep="icc:xmp")
        if metadata.exif:
            put_exif_into_webp(part, metadata.exif, kind.width, kind.height, kind.alpha)
    elif how.image_format == "avif":
        _save_avif(image, part, kind, metadata, quality)
    else:
        _save_tiff(image, part, kind, metadata)


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


def _save_tiff(image: "pyvips.Image", part: Path, kind: ImageKind, metadata: Metadata) -> None:
    large = kind.width * kind.height * kind.bands * kind.depth // 8 > 3 << 30
    image.tiffsave(bytes(part), compression="deflate", level=1, predictor="horizontal", bigtiff=large, keep="icc:xmp:iptc")
    if metadata.resolution is None:
        forget_tiff_resolution(part)


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
