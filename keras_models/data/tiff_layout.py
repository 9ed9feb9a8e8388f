"""How the samples of a TIFF lie in it, by its tags: what a decoder takes for another layout than it is must be refused before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIN_IS_WHITE, RGB, YCBCR, LAB = 0, 2, 6, (8, 9, 10)
PLAIN, JPEG_INSIDE = 1, (6, 7)
"""Compressions: none, and those that pack luma and chroma themselves."""
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANES = 258, 259, 262, 277, 284
_SEPARATE = 2


@dataclass(frozen=True)
class TiffLayout:
    """The layout of a TIFF's first picture.

    Attributes:
        bits: of a sample, one number for each, or one for all.
        compression: number of the specification.
        photometric: number of the specification, such as `MIN_IS_WHITE`; -1 if it is not told.
        samples: of a pixel.
        separate: samples lie in planes of their own instead of beside one another.
    """

    bits: tuple[int, ...]
    compression: int
    photometric: int
    samples: int
    separate: bool


def tiff_layout(path: Path) -> TiffLayout | None:
    """The layout of the first picture; None if its tags are damaged, which its decoder then says.

    Pillow's reader of tags is used, which also knows files that it cannot decode.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        with path.open("rb") as file:
            head = file.read(16)
            tags: Any = ImageFileDirectory_v2(head[:8] if head[2:4] in (b"*\0", b"\0*") else head)
            file.seek(tags.next)
            tags.load(file)
            bits, samples = tags.get(_BITS, (1,)), tags.get(_SAMPLES, 1)
            return TiffLayout(
                tuple(int(number) for number in (bits if isinstance(bits, tuple) else (bits,))),
                int(tags.get(_COMPRESSION, 1)),
                int(tags.get(_PHOTOMETRIC, -1)),
                int(samples),
                tags.get(_PLANES, 1) == _SEPARATE,
            )
    except Exception:  # Pillow meets damage with any of a dozen types
        return None
