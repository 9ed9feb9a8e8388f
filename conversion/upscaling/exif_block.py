"""An EXIF block made true for an upscaled picture, and nothing else in it touched.

libvips writes EXIF anew, through libexif, which adds tags that the photo never had: a resolution of 25.4 dpi,
a colour space. Here
three numbers are set where they stand, and the thumbnail of the picture as it was before is unlinked.
"""

import struct

_ORIENTATION, _EXIF_FOLDER, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_SHORT, _LONG = 3, 4
_ENTRY = 12
_PREFIX = b"Exif\0\0"


def upright_exif(block: bytes, width: int, height: int) -> bytes | None:
    """The block for an upright picture of another size.

    Args:
        block: as a photo holds it, with or without JPEG's "Exif" before it.
        width: pixels of the picture now.
        height: pixels of the picture now.

    Returns:
        The block without that prefix; None if it is damaged.
    """
    data = bytearray(block.removeprefix(_PREFIX))
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        return None
    try:
        first = struct.unpack_from(order + "I", data, 4)[0]
        entries, end = _entries(data, order, first)
        _set(data, order, entries, {_ORIENTATION: 1})
        struct.pack_into(order + "I", data, end, 0)  # where the thumbnail's folder would follow
        if _EXIF_FOLDER in entries:
            inner, _ = _entries(
                data, order, struct.unpack_from(order + "I", data, entries[_EXIF_FOLDER] + 8)[0]
            )
            _set(data, order, inner, {_WIDTH: width, _HEIGHT: height})
    except struct.error:
        return None
    return bytes(data)


def orientation_told(block: bytes | None) -> int:
    """1 to 8, as EXIF numbers them; 1 where a block tells none, or is damaged or not there."""
    data = bytearray((block or b"").removeprefix(_PREFIX))
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        return 1
    try:
        entries, _ = _entries(data, order, struct.unpack_from(order + "I", data, 4)[0])
        place = entries.get(_ORIENTATION)
        value = struct.unpack_from(order + "H", data, place + 8)[0] if place is not None else 1
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def without_orientation(block: bytes) -> bytes:
    """A block of `upright_exif` without the tag of orientation: the entries behind it move up, what they
    point to stays.
    """
    data = bytearray(block)
    order = "<" if data.startswith(b"II") else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    entries, end = _entries(data, order, start)
    if _ORIENTATION in entries:
        place = entries[_ORIENTATION]
        data[place : end + 4 - _ENTRY] = data[place + _ENTRY : end + 4]
        struct.pack_into(order + "H", data, start, (end - start - 2) // _ENTRY - 1)
    return bytes(data)


def _entries(data: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Tag -> place of its entry, and the place behind the last one."""
    (count,) = struct.unpack_from(order + "H", data, start)
    places = range(start + 2, start + 2 + _ENTRY * count, _ENTRY)
    struct.unpack_from(order + "I", data, start + 2 + _ENTRY * count)
    return {
        struct.unpack_from(order + "H", data, place)[0]: place for place in reversed(places)
    }, start + 2 + _ENTRY * count


def _set(data: bytearray, order: str, entries: dict[int, int], values: dict[int, int]) -> None:
    for tag, value in values.items():
        if tag in entries:
            kind = _SHORT if value < 1 << 16 else _LONG
            struct.pack_into(order + "HI", data, entries[tag] + 2, kind, 1)
            struct.pack_into(
                order + ("HH" if kind == _SHORT else "I"),
                data,
                entries[tag] + 8,
                *((value, 0) if kind == _SHORT else (value,)),
            )
