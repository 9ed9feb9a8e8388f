"""A photo enlarged by bicubic and by every model, with the time that each took."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from pathlib import Path

import numpy as np

from conversion.measuring.report.pictures import Box, SliderVersion, most_different, webp
from conversion.measuring.report.subjects import labels_of, refuse_other_scales
from conversion.source import ModelSource
from conversion.upscaling.pipeline import upscale_array
from keras_models.data.bicubic import enlarge
from keras_models.data.read_rgb import opened_photo, rgb, upright
from keras_models.metrics import to_uint8
from keras_models.system.errors import ImageError

BICUBIC, ITSELF = "Bicubic", "The photo"
LARGEST = 16_000_000
"""Pixels of a result that a page shows at its full size."""
ALL = 80_000_000
"""Pixels of all results of a page: a browser keeps them decoded, four bytes each."""
LONGEST = 16383
"""Side of a WebP picture."""
PLACES = 3
"""That are shown of two versions, where they differ most."""


@dataclass(frozen=True)
class Photo:
    """What is enlarged.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, the part that is shown.
        profile: ICC profile of the colours, b"" without one.
        size: (width, height) of the whole photo.
        part: of the whole photo, in its pixels; None if all of it is shown.
    """

    pixels: np.ndarray
    profile: bytes
    size: tuple[int, int]
    part: Box | None


@dataclass(frozen=True)
class Version:
    """The photo, enlarged one way.

    Attributes:
        label: what the page calls it.
        pixels: (H, W, 3) uint8 RGB.
        seconds: that enlarging took.
        size: bytes of the .tflite; None for bicubic.
        licence: of the model, None if it is not stated.
    """

    label: str
    pixels: np.ndarray
    seconds: float
    size: int | None
    licence: str | None


@dataclass(frozen=True)
class Pair:
    """Two versions, by their numbers, and the places where they differ most, lossless: (place, slider's versions)."""

    first: int
    second: int
    places: tuple[tuple[Box, list[SliderVersion]], ...]

    @property
    def id(self) -> str:
        """For the page's script."""
        return f"{self.first}-{self.second}"


def read_photo(path: Path) -> Photo:
    """Reads a photo.

    Raises:
        ImageError: it is not there, cannot be read, or has more pixels than `read_rgb` takes.
    """
    if not path.is_file():
        raise ImageError(f"{path}: no such photo: check the path")
    with opened_photo(path) as image:
        profile = image.info.get("icc_profile", b"") if image.mode in ("RGB", "RGBA", "P") else b""
        pixels = rgb(upright(image))
    return Photo(pixels, profile, (pixels.shape[1], pixels.shape[0]), None)


def largest_result(versions: int) -> int:
    """Pixels that each of so many results may have."""
    return min(LARGEST, ALL // versions)


def fitted(photo: Photo, scale: int, versions: int) -> Photo:
    """The photo, or the part around its middle whose results a page has room for.

    Args:
        photo: whole.
        scale: of the models.
        versions: how many results the page holds.
    """
    width, height = photo.size
    share = sqrt(largest_result(versions) / (height * width)) / scale
    tall, wide = (max(1, min(side, int(side * share), LONGEST // scale)) for side in (height, width))
    if (tall, wide) == (height, width):
        return photo
    part = Box((width - wide) // 2, (height - tall) // 2, wide, tall)
    return replace(photo, pixels=np.ascontiguousarray(part.of(photo.pixels)), part=part)


def enlarged(
    photo: Photo, models: Sequence[str], threads: int | None, progress: Callable[[int, int], None]
) -> tuple[Photo, int, list[Version]]:
    """The part of the photo that was enlarged, the models' scale, and the versions: bicubic first, then the models in their order.

    Args:
        photo: whole.
        models: as `ModelSource.of` takes them; each is run as `upscale` runs it, in tiles on the CPU.
        threads: CPU threads, None for all cores.
        progress: told (done, total).

    Raises:
        MobileSRError: a model cannot be used, or the scales differ.
    """
    from conversion.engines.whole_image import open_engine

    labels, sources = labels_of(models), [ModelSource.of(model) for model in models]
    files = [source.tflite() for source in sources]
    engines = [open_engine(file, threads) for file in files]
    refuse_other_scales({label: engine.scale for label, engine in zip(labels, engines)})
    scale = engines[0].scale
    photo = fitted(photo, scale, 1 + len(models))
    low = photo.pixels.astype(np.float32) / 255
    pixels, seconds = _timed(lambda: enlarge(photo.pixels, scale))
    versions = [Version(BICUBIC if scale > 1 else ITSELF, pixels, seconds, None, None)]
    for label, source, file, engine in zip(labels, sources, files, engines):
        progress(len(versions), 1 + len(models))
        pixels, seconds = _timed(lambda: to_uint8(upscale_array(low, engine)))  # noqa: B023  # called at once
        versions.append(Version(label, pixels, seconds, file.stat().st_size, source.facts.get("licence")))
    return photo, scale, versions


def _timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What it gives, and seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def pairs_of(versions: Sequence[Version], scale: int, profile: bytes) -> list[Pair]:
    """Every two versions with the places where they differ most."""
    return [_pair(versions, one, other, scale, profile) for one, other in combinations(range(len(versions)), 2)]


def _pair(versions: Sequence[Version], one: int, other: int, scale: int, profile: bytes) -> Pair:
    boxes = most_different(versions[one].pixels, versions[other].pixels, scale, PLACES)
    places = tuple(
        (box, [(number, versions[number].label, webp(box.of(versions[number].pixels), True, profile)) for number in (one, other)])
        for box in boxes
    )
    return Pair(one, other, places)
