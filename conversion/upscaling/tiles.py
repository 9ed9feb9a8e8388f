"""The tile plan: which windows of an image the network sees, and which part of each result is kept.

A window is a core plus a halo of real neighbouring pixels. At the image's border the window is shifted inward instead of being padded with
invented pixels, so the network meets the same border that it would meet on the whole image. All windows of one image have one shape: the
engine allocates once. A network that sees an image in blocks (a stride inside) gets windows that start at multiples of the block; their
sides leave the same rest as the image's, so that the last of them ends where the image does and none is shifted to another phase.
All numbers are low-resolution pixels but those of `Span.kept`; everything is pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keras_models.system.errors import MobileSRError


@dataclass(frozen=True)
class Span:
    """One window along one axis.

    Attributes:
        start: first pixel of the window.
        size: pixels in the window; it may end beyond the image, where it is filled up by reflection.
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


@dataclass(frozen=True)
class Grid:
    """What a network wants of its windows, low-resolution pixels.

    Attributes:
        stride: they start at multiples of it.
        multiple: their sides are multiples of it; divides `stride`.
    """

    stride: int = 1
    multiple: int = 1

    def padded(self, length: int) -> int:
        """The side of an image, filled up to what the network can run on."""
        return -(-length // self.multiple) * self.multiple


FREE = Grid()


def plan_tiles(height: int, width: int, tile: int | tuple[int, int], halo: int, grid: Grid = FREE) -> TilePlan:
    """Plan windows for an engine that takes any window shape, or any of a multiple.

    The number of windows is that of cores of `tile` pixels; the cores are then made equally large, so that the last window of a row does
    not repeat the work of the one before it. An image that fits in one window is one window of its own size: the whole-image result.

    Args:
        height: image height, low-resolution pixels.
        width: image width, low-resolution pixels.
        tile: side of the core, or (height, width) of it, low-resolution pixels; a core is enlarged to the grid's stride.
        halo: real pixels around the core that the network sees but whose result is not kept.
        grid: the network's.

    Returns:
        The plan; its cores cover the image exactly once.

    Raises:
        MobileSRError: the tile is not positive, the halo is negative.
    """
    tile_height, tile_width = (tile, tile) if isinstance(tile, int) else tile
    _check(tile_height, halo)
    _check(tile_width, halo)
    return TilePlan(_even_spans(height, tile_height, halo, grid), _even_spans(width, tile_width, halo, grid))


def plan_fixed_tiles(height: int, width: int, window: tuple[int, int], halo: int, stride: int = 1) -> TilePlan:
    """Plan windows for an engine whose window shape cannot be changed.

    A window that ends beyond the image is filled up by reflection, and the result cropped: on an axis shorter than the window, and where
    the last window would else start between two multiples of the stride. In these cases alone the network sees pixels that the image
    does not have.

    Args:
        height: image height, low-resolution pixels.
        width: image width, low-resolution pixels.
        window: the engine's (height, width), low-resolution pixels.
        halo: as in `plan_tiles`; must leave a core of a stride inside the window.
        stride: of the network.

    Returns:
        The plan; its cores cover the image exactly once.

    Raises:
        MobileSRError: twice the halo leaves less than a stride of the window.
    """
    spans = []
    for length, side in zip((height, width), window):
        _check((side - 2 * halo) // stride, halo)
        filled = max(side, length + (side - length) % stride)
        spans.append(_spans(length, filled, side, halo, stride))
    return TilePlan(*spans)


def _check(core: int, halo: int) -> None:
    if halo < 0:
        raise MobileSRError(f"halo of {halo} pixels: give 0 or more")
    if core < 1:
        raise MobileSRError(f"a halo of {halo} pixels leaves a core of {core}: give a smaller `halo` or a tile of 1 pixel or more")


def _even_spans(length: int, core: int, halo: int, grid: Grid) -> tuple[Span, ...]:
    filled = grid.padded(length)
    # The image's border needs no halo, so n cores and two halos cover n * core + 2 * halo pixels.
    count = max(1, -(-(filled - 2 * halo) // core))
    if count == 1:
        return _spans(length, filled, filled, halo, grid.stride)
    even_core = -(-(filled - 2 * halo) // count)
    window = max(even_core, grid.stride) + 2 * halo
    window += (filled - window) % grid.stride  # of the same rest as the image
    return _spans(length, filled, min(window, filled), halo, grid.stride)


def _spans(length: int, filled: int, window: int, halo: int, stride: int) -> tuple[Span, ...]:
    """Spans of `window` pixels over a side of `length` that is filled up to `filled`, a multiple of the stride above the window."""
    if filled <= window:
        return (Span(0, filled, 0, length),)
    core = (window - 2 * halo) // stride * stride
    count = 1 + -(-(filled - window) // core)
    starts = [min(index * core, filled - window) for index in range(count)]
    edges = [0, *(start + halo for start in starts[1:] if start + halo < length), length]
    return tuple(Span(start, window, first, last) for start, first, last in zip(starts, edges, edges[1:]))
