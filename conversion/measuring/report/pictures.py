"""The pictures of a page: which photos are shown, the detail that is enlarged, and the encoded bytes."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image

from keras_models.metrics import luma

SHOWN = 6
WHOLE_SIDE = 1024
DETAIL_SIDE = 128
BUDGET = 4_000_000
"""Bytes of all pictures before they are written as text, which makes them a third larger."""
_QUALITY = 90

_T = TypeVar("_T")


@dataclass(frozen=True)
class Box:
    """A part of a picture: top left corner and sides, high-resolution pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, image: np.ndarray) -> np.ndarray:
        """That part of (H, W, ...)."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True)
class Version:
    """One way to get a photo: whole and in detail, WebP."""

    label: str
    whole: bytes
    detail: bytes


@dataclass
class Picture:
    """A photo that is shown.

    Attributes:
        name: file name without its ending.
        width: high-resolution pixels.
        height: high-resolution pixels.
        detail: the part that is enlarged.
        versions: bicubic first, the original last.
    """

    name: str
    width: int
    height: int
    detail: Box
    versions: list[Version] = field(default_factory=list)

    def add(self, label: str, image: np.ndarray) -> None:
        """Adds a version, (H, W, 3) uint8 RGB."""
        self.versions.append(Version(label, _whole(image), webp(self.detail.of(image), lossless=True)))

    @property
    def bytes(self) -> int:
        """Size of all versions."""
        return sum(len(version.whole) + len(version.detail) for version in self.versions)


def spread(items: Sequence[_T], count: int = SHOWN) -> list[_T]:
    """At most `count` items, evenly spread over the sequence; a choice that knows no result."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def hardest_box(bicubic: np.ndarray, original: np.ndarray, scale: int) -> Box:
    """The square in which bicubic upscaling loses most, by squared error of luma.

    Args:
        bicubic: (H, W, 3) uint8 RGB.
        original: the same shape.
        scale: upscaling factor; the square lies on whole low-resolution pixels.
    """
    height, width = original.shape[:2]
    side = max(1, min(DETAIL_SIDE, height // 2, width // 2) // scale) * scale
    error = np.square(luma(bicubic) - luma(original), dtype=np.float64)
    sums = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = (np.arange(0, length - side + 1, scale) for length in (height, width))
    top, left = rows[:, None], columns[None]
    inside = sums[top + side, left + side] - sums[top, left + side] - sums[top + side, left] + sums[top, left]
    y, x = np.unravel_index(np.argmax(inside), inside.shape)
    return Box(int(columns[x]), int(rows[y]), side, side)


def within_budget(pictures: Sequence[Picture], budget: int = BUDGET) -> tuple[Picture, ...]:
    """As many of the pictures, from the first, as fit; at least one."""
    total = np.cumsum([picture.bytes for picture in pictures])
    return tuple(pictures[: max(1, int(np.searchsorted(total, budget, "right")))])


def webp(image: np.ndarray, lossless: bool = False) -> bytes:
    """(H, W, 3) uint8 RGB as a WebP file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=_QUALITY, lossless=lossless, method=4)
    return file.getvalue()


def data_uri(data: bytes, kind: str = "image/webp") -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _whole(image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    picture.thumbnail((WHOLE_SIDE, WHOLE_SIDE), Image.Resampling.LANCZOS)
    return webp(np.asarray(picture))
