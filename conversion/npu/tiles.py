"""The tiles that a compiled file is tried on: of photos with their originals, or made up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.calibration_images import photo_like_images
from keras_models.data.photo_files import list_pairs, names_of, read_pair
from keras_models.system.errors import ImageError

PHOTO_TILES = 4
MADE_UP_TILES = 2


@dataclass(frozen=True)
class Tile:
    """One tile.

    Attributes:
        name: what it is of.
        low: (h, w, 3) float32 RGB in [0, 1].
        high: (scale h, scale w, 3) the original, float32 in [0, 1]; None for what is made up.
    """

    name: str
    low: np.ndarray
    high: np.ndarray | None


def made_up_tiles(size: tuple[int, int]) -> list[Tile]:
    """Dead leaves as sharp as photographs can be."""
    return [Tile(f"dead leaves {n}", image[0], None) for n, image in enumerate(photo_like_images(*size, MADE_UP_TILES), 1)]


def photo_tiles(folder: str | Path, size: tuple[int, int], scale: int, every: bool = False) -> list[Tile]:
    """The most detailed tile of each of up to four photos, the most detailed ones; or every tile of every photo.

    Args:
        folder: with HR/ and LRxS/, or of photos, which are shrunk.
        size: (h, w) of a tile, low-resolution pixels; smaller photos are left out.
        scale: of the network.
        every: all tiles, the last of a row or column shifted inward.

    Raises:
        ImageError: no photo in the folder that is large enough, or one that cannot be read.
    """
    pairs, _ = list_pairs(folder, scale)
    best: list[tuple[float, Tile]] = []
    for name, pair in zip(names_of(pairs), pairs):
        low, high = read_pair(pair, scale)
        found = [(_detail(low[y : y + size[0], x : x + size[1]]), y, x) for y in _starts(low, 0, size) for x in _starts(low, 1, size)]
        for detail, y, x in found if every else [max(found)] if found else []:
            cut = low[y : y + size[0], x : x + size[1]]
            original = high[y * scale : (y + size[0]) * scale, x * scale : (x + size[1]) * scale]
            best.append((detail, Tile(f"{name} at {x},{y}", _unit(cut), _unit(original))))
    if not best:
        raise ImageError(f"{folder}: no photo of {size[1] * scale}x{size[0] * scale} pixels or more in it: give larger ones")
    if every:
        return [tile for _, tile in best]
    return [tile for _, tile in sorted(best, key=lambda one: -one[0])[:PHOTO_TILES]]


def _starts(image: np.ndarray, axis: int, size: tuple[int, int]) -> list[int]:
    """Where tiles begin along an axis; none in an image that is smaller than one."""
    last = image.shape[axis] - size[axis]
    return sorted({*range(0, last + 1, size[axis]), last}) if last >= 0 else []


def _detail(tile: np.ndarray) -> float:
    """Mean difference of neighbouring pixels."""
    values = tile.astype(np.float32)
    return float(np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean())


def _unit(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, np.float32) / np.float32(255)
