"""Puts metadata into files that libvips has encoded without: byte for byte what the photo had, and nothing
where it had nothing.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conversion.upscaling.gain_map_xmp import packet_of_map, packet_of_photo
from conversion.upscaling.photo_metadata import MOST_JPEG_BLOCK, Metadata

if TYPE_CHECKING:
    import pyvips

_SOI, _APP0, _APP1, _APP13 = b"\xff\xd8", b"\xff\xe0", b"\xff\xe1", b"\xff\xed"
_APP2, _START_OF_SCAN = 0xE2, 0xDA
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PICTURES = 0xB002
_DOTS_PER_MM = 25.4
_MOST_DENSITY = 65_535
_VP8X_EXIF, _VP8X_ALPHA = 0x08, 0x10
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296


def jpeg_head(metadata: Metadata) -> bytes:
    """The segments that begin a JPEG: JFIF with its density, EXIF, XMP and IPTC. Blocks that fit into no
    segment are left out.

    Args:
        metadata: true for the picture; without a resolution its pixels are square and of no size.
    """
    resolution = metadata.resolution
    unit, across, down = 0, 1, 1
    if resolution is not None:
        dots = [round(pixels * _DOTS_PER_MM) for pixels in resolution]
        if all(0 < number <= _MOST_DENSITY for number in dots):
            unit, (across, down) = 1, dots
    head = _APP0 + struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0102, unit, across, down, 0, 0)
    blocks = (
        (_APP1, b"Exif\0\0", metadata.exif),
        (_APP1, _XMP, metadata.xmp),
        (_APP13, b"", metadata.iptc),
    )
    for mark, name, block in blocks:
        if block and len(block) <= MOST_JPEG_BLOCK:
            head += _segment(mark, name, block)
    return head


def write_jpeg(path: Path, head: bytes, save: Callable[["pyvips.TargetCustom"], None]) -> None:
    """Has a JPEG encoded straight into a file, with `head` behind its first two bytes.

    Args:
        path: of the file.
        head: of `jpeg_head`.
        save: writes a JPEG that begins with no JFIF into a libvips target.

    Raises:
        OSError: the disk is full.
        pyvips.Error: the picture could not be encoded.
    """
    from conversion.upscaling.libvips import pyvips

    failed: list[OSError] = []
    with path.open("wb") as file:

        def write(data: bytes) -> int:
            try:
                data = bytes(data)
                if file.tell() == 0:
                    file.write(_SOI + head)
                    file.write(data[len(_SOI) :])
                else:
                    file.write(data)
            except OSError as error:
                failed.append(error)
                return -1
            return len(data)

        target = pyvips.TargetCustom()
        target.on_write(write)
        target.on_end(lambda: 0)
        try:
            save(target)
        except pyvips.Error:
            if failed:
                raise failed[0] from None
            raise


def with_gain_map_told(jpeg: bytes, metadata: Metadata) -> bytes:
    """An Ultra HDR file of libultrahdr's with the photo's metadata, and with its gain map told by XMP too.

    Args:
        jpeg: the photo, an index of pictures (CIPA's multi-picture format) in it, and the gain map behind it.
        metadata: true for the picture; it has a gain map.

    Returns:
        The file, its index set right.
    """
    assert metadata.gain_map is not None
    data = bytearray(jpeg)
    index, entries, order = _picture_index(data)
    second = index + struct.unpack_from(order + "I", data, entries + 16 + 8)[0]
    packet = packet_of_map({name: value for name, (_, value) in metadata.gain_map.fields.items()})
    told = _segment(_APP1, _XMP, packet) if packet else b""
    words = packet_of_photo(metadata.xmp, len(data) - second + len(told)) if told else None
    if words is None or len(words) > MOST_JPEG_BLOCK:
        told, words = b"", metadata.xmp
    head = jpeg_head(replace(metadata, xmp=words))
    for place, more in ((entries + 4, len(head)), (entries + 16 + 4, len(told))):
        struct.pack_into(order + "I", data, place, struct.unpack_from(order + "I", data, place)[0] + more)
    return b"".join((data[:2], head, data[2 : second + 2], told, data[second + 2 :]))


def put_exif_into_webp(path: Path, exif: bytes, width: int, height: int, alpha: bool) -> None:
    """Adds an EXIF chunk to a WebP file, and the header that tells of it if there is none yet.

    Args:
        path: of the file.
        exif: TIFF block.
        width: pixels.
        height: pixels.
        alpha: whether the picture has transparency.
    """
    with path.open("r+b") as file:
        head = file.read(30)
        if head[12:16] == b"VP8X":
            file.seek(20)
            file.write(bytes([head[20] | _VP8X_EXIF]))
        else:
            file.seek(12)
            body = file.read()
            sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            file.seek(12)
            file.write(
                struct.pack("<4sIB3x", b"VP8X", 10, _VP8X_EXIF | (_VP8X_ALPHA if alpha else 0)) + sides + body
            )
        file.seek(0, 2)
        file.write(struct.pack("<4sI", b"EXIF", len(exif)) + exif + bytes(len(exif) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))


def forget_tiff_resolution(path: Path) -> None:
    """Makes the resolution that libvips has written into a TIFF what the format demands, and no more:
    square pixels of no size.
    """
    with path.open("r+b") as file:
        head = file.read(16)
        order = "<" if head.startswith(b"II") else ">"
        big = struct.unpack_from(order + "H", head, 2)[0] == 43
        place = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
        file.seek(place)
        (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
        size, at = (20, 12) if big else (12, 8)
        entries = file.read(size * count)
        for start in range(0, size * count, size):
            tag, kind = struct.unpack_from(order + "HH", entries, start)
            here = place + (8 if big else 2) + start + at
            if tag == _UNIT:
                file.seek(here)
                file.write(struct.pack(order + "H", 1))
            elif tag in (_X_RESOLUTION, _Y_RESOLUTION) and kind == 5:
                value = struct.unpack_from(order + ("Q" if big else "I"), entries, start + at)[0]
                file.seek(here if big else value)
                file.write(struct.pack(order + "II", 1, 1))


def _picture_index(data: bytearray) -> tuple[int, int, str]:
    """Where an MPF index begins, where its entries of pictures (16 bytes each) lie, and its byte order."""
    position = 2
    while data[position + 1] != _START_OF_SCAN:
        if data[position + 1] == _APP2 and data[position + 4 : position + 8] == b"MPF\0":
            start = position + 8
            order = ">" if data[start : start + 2] == b"MM" else "<"
            folder = start + struct.unpack_from(order + "I", data, start + 4)[0]
            (count,) = struct.unpack_from(order + "H", data, folder)
            for place in range(folder + 2, folder + 2 + 12 * count, 12):
                tag, _, _, offset = struct.unpack_from(order + "HHII", data, place)
                if tag == _PICTURES:
                    return start, start + offset, order
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    raise ValueError("a JPEG of several pictures without an index of them")


def _segment(mark: bytes, name: bytes, block: bytes) -> bytes:
    return mark + struct.pack(">H", 2 + len(name) + len(block)) + name + block
