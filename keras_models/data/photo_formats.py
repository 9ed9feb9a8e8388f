"""Which files count as photos, by their names, and which decoder may see one, by its first bytes.

A decoder is only ever chosen from this list. Left to themselves, Pillow would start Ghostscript for an EPS
that is called .png, and
libvips would unpack a gzipped SVG of any size.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_models.data.heif_items import items_can_be_named
from keras_models.system.errors import ImageError

ENDINGS = {
    "png": (".png", ".apng"),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "heif": (".heic", ".heif", ".hif", ".avif"),
    "bmp": (".bmp", ".dib"),
    "gif": (".gif",),
}
"""Format -> the endings of its files' names. The content decides how a file is read; its name decides only
whether a folder lists it.
"""
PHOTO_ENDINGS = tuple(ending for endings in ENDINGS.values() for ending in endings)
GIVE = "give a whole PNG, JPEG, WebP, TIFF, HEIC, AVIF, BMP or GIF file"

_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 64
_HEIF_STILL = {
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"mif1",
    b"mif2",
    b"avif",
    b"miaf",
    b"MA1A",
    b"MA1B",
    b"tmap",
}
_HEIF_SEQUENCE = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHERS = (
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"8BPS", "Photoshop"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML or SVG"),
)
_MOST_CHUNKS = 250_000
_MOST_HEIF_BYTES = 1 << 30  # its decoders hold the whole file in memory


def is_photo_name(name: str | Path) -> bool:
    """Whether a file is a photo by its name's ending, in letters of any size."""
    return os.path.splitext(os.fspath(name))[1].lower() in PHOTO_ENDINGS


def photo_format(path: Path) -> str:
    """The format that a file's first bytes say: a key of `ENDINGS`.

    Raises:
        ImageError: no such file, no format of the list, or one that moves.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ImageError(f"{path}: no regular file: `upscale -` reads a photo from a pipe, as standard input")
        if not path.is_file():
            raise ImageError(f"{path}: no such image file: check the path")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be read ({error.strerror}): check the path and its permissions"
        ) from None
    found = _format_of(head)
    if found is None:
        other = next((name for magic, name in _OTHERS if head.lstrip().startswith(magic)), None)
        raise ImageError(f"{path}: {f'{other} data' if other else 'not an image that can be read'}: {GIVE}")
    if found == "heif" and path.stat().st_size > _MOST_HEIF_BYTES:
        raise ImageError(
            f"{path}: more than {_MOST_HEIF_BYTES >> 30} GiB for a HEIC or AVIF file: convert it to PNG"
        )
    if found == "heif" and head[8:12] in _HEIF_SEQUENCE:
        raise several_frames(path, "several")
    if found == "heif" and not items_can_be_named(path):
        raise ImageError(f"{path}: its list of items is damaged: {GIVE}")
    if found == "png" and (frames := _png_frames(path)) > 1:
        raise several_frames(path, frames)
    return found


def several_frames(path: Path, number: int | str) -> ImageError:
    """The error for a file of more than one picture."""
    return ImageError(f"{path}: {number} pages or frames: save each one as an image of its own")


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Walks a PNG: (name, length) of each chunk, the file standing at its content; ends quietly where the
    file is damaged.
    """
    file.seek(len(_PNG))
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return
        length, name = struct.unpack(">I4s", header)
        content = file.tell()
        yield name, length
        if name == b"IEND":
            return
        file.seek(content + length + 4)


def _png_frames(path: Path) -> int:
    """Pictures of a PNG: an APNG's frames, and the picture before them where it is none of them."""
    with path.open("rb") as file:
        frames, first_is_one = 0, False
        for name, length in png_chunks(file):
            if name == b"acTL" and length >= 4:
                frames = int.from_bytes(file.read(4), "big")
            first_is_one = first_is_one or name == b"fcTL"
            if name == b"IDAT":
                break
    return frames + (frames > 0 and not first_is_one)


def _format_of(head: bytes) -> str | None:
    if head.startswith(_PNG):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"BM") and len(head) > 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if head[4:8] == b"ftyp" and _brands(head) & (_HEIF_STILL | _HEIF_SEQUENCE):
        return "heif"
    return None


def _brands(head: bytes) -> set[bytes]:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
