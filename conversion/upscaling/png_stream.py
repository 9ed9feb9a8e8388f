"""A PNG writer that is fed rows: libvips wants the whole image, this needs no more memory than one band of rows."""

import struct
import zlib
from typing import Protocol

import numpy as np

from conversion.upscaling.images import ImageKind
from conversion.upscaling.named_colours import COLOUR_CHUNKS
from conversion.upscaling.photo_metadata import Metadata

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FILTER_UP = 2
# Bytes of filtered rows handed to zlib at once: they stay in the processor's cache.
_SLICE_BYTES = 1 << 20


class Sink(Protocol):
    """Where a PNG goes: a file open for binary writing, or what takes bytes as one does."""

    def write(self, data: bytes, /) -> int:
        """Take all of it."""


class PngStream:
    """Writes a PNG of 8 or 16 bits and 1 to 4 channels as its rows arrive, from top to bottom."""

    def __init__(self, file: Sink, kind: ImageKind, metadata: Metadata | None = None, level: int = 1) -> None:
        """Write the header and the metadata.

        Args:
            file: where to write; it is not closed here.
            kind: size and channels of the PNG.
            metadata: written before the pixels.
            level: zlib's; 0 stores the rows uncompressed.
        """
        self._file = file
        self._kind = kind
        # Level 1 after the filter Up: 107 MB/s, 36 % of the raw size. Level 3 takes 1.8 times as long for 34 %; the filter Sub gives 41 %.
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, 15, 9)
        self._above = np.zeros(kind.width * kind.bands * kind.depth // 8, np.uint8)
        self._rows = 0
        file.write(_SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", kind.width, kind.height, kind.depth, _COLOUR_TYPES[kind.bands], 0, 0, 0))
        if metadata is not None:
            for name, body in _metadata_chunks(metadata):
                self._chunk(name, body)

    def write(self, rows: np.ndarray) -> None:
        """Append rows.

        Args:
            rows: (n, width, bands) uint8 or uint16, as the kind says.

        Raises:
            ValueError: the rows are of another shape or type.
        """
        kind = self._kind
        if rows.shape[1:] != (kind.width, kind.bands) or rows.dtype != kind.dtype:
            raise ValueError(f"rows of {rows.shape} {rows.dtype}: the PNG has {kind.width} x {kind.bands} samples of {kind.dtype}")
        step = max(1, _SLICE_BYTES // len(self._above))
        for first in range(0, len(rows), step):
            self._write_slice(rows[first : first + step])
        self._rows += len(rows)

    def close(self) -> None:
        """Write the end of the PNG.

        Raises:
            ValueError: rows are missing or too many.
        """
        if self._rows != self._kind.height:
            raise ValueError(f"{self._rows} rows were written: the PNG has {self._kind.height}")
        self._chunk(b"IDAT", self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _write_slice(self, rows: np.ndarray) -> None:
        # PNG is big-endian.
        raw = (rows if rows.dtype == np.uint8 else rows.astype(">u2")).reshape(len(rows), -1).view(np.uint8)
        filtered = np.empty((len(raw), raw.shape[1] + 1), np.uint8)
        filtered[:, 0] = _FILTER_UP
        np.subtract(raw[0], self._above, out=filtered[0, 1:])
        np.subtract(raw[1:], raw[:-1], out=filtered[1:, 1:])
        self._above = raw[-1].copy()
        packed = self._deflate.compress(filtered.data)
        if packed:
            self._chunk(b"IDAT", packed)

    def _chunk(self, name: bytes, body: bytes) -> None:
        self._file.write(struct.pack(">I", len(body)) + name)
        self._file.write(body)
        self._file.write(struct.pack(">I", zlib.crc32(body, zlib.crc32(name))))


def _metadata_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """What stands between the header and the pixels, in the order that the specification asks for."""
    chunks = [(name, metadata.colours[name]) for name in COLOUR_CHUNKS if name in metadata.colours]
    if metadata.profile:
        chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(metadata.profile)))
    if metadata.resolution:
        across, down = (round(pixels * 1000) for pixels in metadata.resolution)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    elif metadata.shape:
        chunks.append((b"pHYs", metadata.shape))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return [*chunks, *metadata.texts]
