"""The pictures of a page: which photos are shown, the detail that is enlarged, and the encoded bytes."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image

from keras_models.data.bicubic import crop_to_multiple
from keras_models.metrics import luma

SHOWN = 6
WHOLE_SIDE = 1024
DETAIL_SIDE = 128
BUDGET = 4_000_000
"""Bytes of all pictures before they are written as text, which makes them a third larger."""
QUALITY = 90
"""Of WebP that is not lossless."""

SliderVersion = tuple[int, str, bytes]
"""What a page's slider is given of a version: its number in the choosers, its label, its WebP."""

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
    def labels(self) -> list[str]:
        """Of the versions."""
        return [version.label for version in self.versions]

    @property
    def wholes(self) -> "list[SliderVersion]":
        """The versions of the whole picture."""
        return [(number, version.label, version.whole) for number, version in enumerate(self.versions)]

    @property
    def details(self) -> "list[SliderVersion]":
        """The versions of the detail."""
        return [(number, version.label, version.detail) for number, version in enumerate(self.versions)]

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
    """The square in which bicubic upscaling loses most; arguments as of `most_different`."""
    return most_different(bicubic, original, scale, 1)[0]


def most_different(first: np.ndarray, second: np.ndarray, scale: int, count: int) -> list[Box]:
    """The squares in which two pictures differ most, by squared difference of luma, the first most; no two overlap.

    Args:
        first: (H, W, 3) uint8 RGB.
        second: the same shape.
        scale: upscaling factor; the squares lie on whole low-resolution pixels.
        count: of squares at most; there are fewer where the rest is alike, and at least one.
    """
    height, width = first.shape[:2]
    side = max(1, min(DETAIL_SIDE, height // 2, width // 2) // scale)
    error = crop_to_multiple(np.square(luma(first) - luma(second), dtype=np.float64), scale)
    pixels = error.reshape(error.shape[0] // scale, scale, error.shape[1] // scale, scale).sum((1, 3))
    sums = np.pad(pixels.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    nothing = 1e-9 * sums[-1, -1]  # what rounding leaves of differences of sums
    boxes: list[Box] = []
    while not boxes or (len(boxes) < count and inside.max() > nothing):
        y, x = map(int, np.unravel_index(np.argmax(inside), inside.shape))
        boxes.append(Box(x * scale, y * scale, side * scale, side * scale))
        inside[max(0, y - side + 1) : y + side, max(0, x - side + 1) : x + side] = 0
    return boxes


def within_budget(pictures: Sequence[Picture], budget: int = BUDGET) -> tuple[Picture, ...]:
    """As many of the pictures, from the first, as fit; at least one."""
    total = np.cumsum([picture.bytes for picture in pictures])
    return tuple(pictures[: max(1, int(np.searchsorted(total, budget, "right")))])


def webp(image: np.ndarray, lossless: bool = False, profile: bytes = b"") -> bytes:
    """(H, W, 3) uint8 RGB as a WebP file, with an ICC profile if one is given."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=QUALITY, lossless=lossless, method=4, icc_profile=profile)
    return file.getvalue()


def _whole(image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    picture.thumbnail((WHOLE_SIDE, WHOLE_SIDE), Image.Resampling.LANCZOS)
    return webp(np.asarray(picture))
