"""Which tiles a photo is cut into: how large for a gigabyte of memory, with how much halo, or whole, or refused."""

from conversion.engines.base import UNBOUNDED_HALO, WHOLE_MEMORY, Engine
from conversion.upscaling.images import ImageKind
from conversion.upscaling.tiles import Grid, TilePlan, plan_fixed_tiles, plan_tiles
from keras_models.system.errors import MobileSRError, ModelError

# Larger tiles repeat less of their halo (docs/speed.md). The default is the first that an engine's memory allows, else the last.
TILES = (512, 384, 256, 128, 64)
_MEMORY = 1 << 30
# Measured peaks of a process, LKDN-S and LKDN at 298x304 to 532x782: this share of what its engine must hold, and what it has without.
_ENGINE_SHARE, _PROCESS = 1.75, 130 << 20
# A wide image gets lower tiles, so that one band of finished rows stays below this; lower than 64 rows the halo would cost too much.
_BAND_BYTES = 160 << 20
_LOWEST_TILE = 64


def plan_file(kind: ImageKind, engine: Engine, tile: int | None, halo: int | None) -> TilePlan:
    """The tiles of a photo, low where it is wide; tells how much work it is before any is done.

    Args:
        kind: what the file is.
        engine: the network.
        tile: as in `plan_image`.
        halo: as in `plan_image`.

    Raises:
        MobileSRError: as `plan_image`.
    """
    row_bytes = kind.width * kind.bands * kind.dtype.itemsize * engine.scale**2
    return plan_image(kind.height, kind.width, engine, tile, halo, max(_LOWEST_TILE, _BAND_BYTES // row_bytes))


def default_tile(engine: Engine, halo: int) -> int:
    """The side of a tile's core that is quickest within a gigabyte, low-resolution pixels.

    Raises:
        ModelError: the smallest tile would take more than a network that runs on whole images may.
    """
    needs = {tile: _PROCESS + _ENGINE_SHARE * engine.bytes_per_pixel * (tile + 2 * halo) ** 2 for tile in TILES}
    if needs[TILES[-1]] > WHOLE_MEMORY:
        raise ModelError(
            f"the network takes {needs[TILES[-1]] / 2**30:.0f} GiB for a tile of {TILES[-1]}x{TILES[-1]} pixels: {WHOLE_MEMORY >> 30} GiB "
            "are the most: give a smaller network, or a smaller `tile`"
        )
    return next((tile for tile in TILES if needs[tile] <= _MEMORY), TILES[-1])


def plan_image(height: int, width: int, engine: Engine, tile: int | None, halo: int | None, highest: int = 1 << 30) -> TilePlan:
    """The tiles of an image.

    Args:
        height: of the image, as all that follows in low-resolution pixels.
        width: of the image.
        engine: the network.
        tile: side of a tile's core; None for the default.
        halo: real pixels around it; None for what the network needs.
        highest: a tile has at most so many rows.

    Raises:
        MobileSRError: the tile or the halo does not fit the engine; or tiles would show seams, and no halo was asked for.
    """
    asked, halo = halo is not None, engine.halo if halo is None else halo
    grid = Grid(engine.stride, engine.multiple)
    if engine.resizable:
        if halo >= UNBOUNDED_HALO and not asked:
            return _whole(height, width, engine, grid)
        tile = default_tile(engine, halo) if tile is None else tile
        return plan_tiles(height, width, (min(tile, highest), tile), halo, grid)
    if tile is not None:
        raise MobileSRError(f"`tile` {tile}: this model runs only at {engine.tile[0]}x{engine.tile[1]}: leave `tile` out")
    side = min(engine.tile)
    most = (side - max(1, side // 4, grid.stride)) // 2  # the core keeps a quarter of the window
    if not asked and halo > most and (height > engine.tile[0] or width > engine.tile[1]):
        sees = "its result depends on the whole image" if halo >= UNBOUNDED_HALO else f"looks {halo} pixels around a tile"
        raise MobileSRError(
            f"this model runs only at {engine.tile[0]}x{engine.tile[1]} and {sees}, so tiles would show seams: convert or export it "
            f"for a larger or a free size, or accept them with `halo` {most}"
        )
    return plan_fixed_tiles(height, width, engine.tile, halo if asked else min(halo, most), grid.stride)


def _whole(height: int, width: int, engine: Engine, grid: Grid) -> TilePlan:
    """One tile, for a network whose result depends on all of the image."""
    if _PROCESS + _ENGINE_SHARE * engine.bytes_per_pixel * height * width > WHOLE_MEMORY:
        raise MobileSRError(
            f"the network looks at the whole image, and {width}x{height} pixels at once would take over {WHOLE_MEMORY >> 30} GiB: give a "
            "smaller photo, or accept seams between tiles with `halo` 64"
        )
    return plan_tiles(height, width, max(height, width), 0, Grid(grid.multiple, grid.multiple))
