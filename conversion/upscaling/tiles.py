"""The tile plan: which windows of an image the network sees, and which part of each result is kept.

A window is a core plus a halo of real neighbouring pixels. At the image's border the window is shifted inward instead of being padded with
invented pixels, so the network meets the same border that it would meet on the whole image. All windows of one image have one shape: the
engine allocates once. All numbers are low-resolution pixels but those of `Span.kept`; everything is pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keras_models.system.errors import MobileSRError


@dataclass(frozen=True)
class Span:
    """One window along one axis.

    Attributes:
        start: first pixel of the window.
        size: pixels in the window.
        core_start: first pixel whose result is kept.
        core_stop: one past the last pixel whose result is kept.
    """

    start: int
    size: int
    core_start: int
    core_stop: int

    @property
    def stop(self) -> int:
        """One past the window's last pixel."""
        return self.start + self.size

    def kept(self, scale: int) -> slice:
        """The kept part of the window's result, in high-resolution pixels counted from the window's own start."""
        return slice((self.core_start - self.start) * scale, (self.core_stop - self.start) * scale)


@dataclass(frozen=True)
class TilePlan:
    """All windows of an image: every pair of a row span and a column span.

    Attributes:
        rows: spans from top to bottom.
        columns: spans from left to right.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of every window."""
        return self.rows[0].size, self.columns[0].size

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[Span, Span]]:
        return ((row, column) for row in self.rows for column in self.columns)


def plan_tiles(height: int, width: int, tile: int | tuple[int, int], halo: int) -> TilePlan:
    """Plan windows for an engine that takes any window shape.

    The number of windows is that of cores of `tile` pixels; the cores are then made equally large, so that the last window of a row does
    not repeat the work of the one before it. An image that fits in one window is one window of its own size: the whole-image result.

    Args:
        height: image height, low-resolution pixels.
        width: image width, low-resolution pixels.
        tile: side of the core, or (height, width) of it, low-resolution pixels.
        halo: real pixels around the core that the network sees but whose result is not kept.

    Returns:
        The plan; its cores cover the image exactly once.

    Raises:
        MobileSRError: the tile is not positive, the halo is negative.
    """
    tile_height, tile_width = (tile, tile) if isinstance(tile, int) else tile
    _check(tile_height, halo)
    _check(tile_width, halo)
    return TilePlan(_even_spans(height, tile_height, halo), _even_spans(width, tile_width, halo))


def plan_fixed_tiles(height: int, width: int, window: tuple[int, int], halo: int) -> TilePlan:
    """Plan windows for an engine whose window shape cannot be changed.

    An axis shorter than the window becomes one span of the axis' own length: whoever runs it has to fill the window up (by reflection) and
    to crop the result; that is the only case in which the network sees pixels that the image does not have.

    Args:
        height: image height, low-resolution pixels.
        width: image width, low-resolution pixels.
        window: the engine's (height, width), low-resolution pixels.
        halo: as in `plan_tiles`; must leave a core inside the window.

    Returns:
        The plan; its cores cover the image exactly once.

    Raises:
        MobileSRError: twice the halo is not smaller than the window.
    """
    for side in window:
        _check(side - 2 * halo, halo)
    return TilePlan(_spans(height, window[0], halo), _spans(width, window[1], halo))


def _check(core: int, halo: int) -> None:
    if halo < 0:
        raise MobileSRError(f"halo of {halo} pixels: give 0 or more")
    if core < 1:
        raise MobileSRError(f"a halo of {halo} pixels leaves a core of {core}: give a smaller `halo` or a tile of 1 pixel or more")


def _even_spans(length: int, core: int, halo: int) -> tuple[Span, ...]:
    # The image's border needs no halo, so n cores and two halos cover n * core + 2 * halo pixels.
    count = max(1, -(-(length - 2 * halo) // core))
    even_core = -(-(length - 2 * halo) // count)
    return _spans(length, even_core + 2 * halo if count > 1 else length, halo)


def _spans(length: int, window: int, halo: int) -> tuple[Span, ...]:
    if length <= window:
        return (Span(0, length, 0, length),)
    core = window - 2 * halo
    count = -(-(length - 2 * halo) // core)
    starts = [min(index * core, length - window) for index in range(count)]
    edges = [0, *(start + halo for start in starts[1:]), length]
    return tuple(Span(start, window, first, last) for start, first, last in zip(starts, edges, edges[1:]))
