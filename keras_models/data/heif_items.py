"""What a HEIC or AVIF file says that its items are, read before a decoder does.

pi-heif 1.4 makes Python text of two words of every item, its type and its media type, and does not ask whether that worked: bytes that
are no UTF-8 end the process (found by fuzzing, 4 of 10,000 damaged AVIFs). So they are looked at here first.

The boxes are those of ISO/IEC 14496-12: 8.11.1 (`meta`) and 8.11.6 (`iinf`, `infe`).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MOST_BYTES = 16 << 20
"""Of an item list; a phone's photo of some hundred tiles has 10 kB."""


def items_can_be_named(path: Path) -> bool:
    """Whether a decoder can make text of every item's type and media type.

    Args:
        path: a HEIC or AVIF file.

    Returns:
        False if one of them is no UTF-8, or the list is larger than any real one. What is cut or damaged otherwise is left to the decoder.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        for name, start, end in _boxes(file, 0, length):
            if name != b"meta":
                continue
            for inner, at, until in _boxes(file, start + 4, end):  # 4 bytes of version and flags
                if inner != b"iinf":
                    continue
                if until - at > _MOST_BYTES:
                    return False
                file.seek(at)
                version = file.read(1)
                first = at + (6 if version == b"\0" else 8)  # version and flags, and how many items: 16 or 32 bits
                if not all(_is_text(word) for item, a, b in _boxes(file, first, until) if item == b"infe" for word in _words(file, a, b)):
                    return False
    return True


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, where its content starts, where it ends) of each box between two places."""
    while start + 8 <= end:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        size, name = struct.unpack(">I4s", header[:8])
        content = start + 8
        if size == 1 and len(header) == 16:  # the size stands behind the name, in 64 bits
            size, content = int.from_bytes(header[8:], "big"), start + 16
        stop = end if size == 0 else min(start + size, end)
        if stop < content:
            return
        yield name, content, stop
        start = stop


def _words(file: BinaryIO, start: int, end: int) -> list[bytes]:
    """An item's type, and its media type if it has one."""
    file.seek(start)
    content = file.read(end - start)
    version = content[0] if content else 0
    if version < 2:  # an older form, without a type: name and media type only
        return content[8:].split(b"\0")[1:2]
    kind = 8 if version == 2 else 10  # behind version and flags, number (16 or 32 bits) and protection
    return [content[kind : kind + 4], *content[kind + 4 :].split(b"\0")[1:2]]


def _is_text(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True
