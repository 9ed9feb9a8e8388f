import itertools

import numpy as np
import pytest
from support.tiny_models import FakeEngine, nearest

from conversion.upscaling.tiles import FREE, Grid, plan_fixed_tiles, plan_tiles
from keras_models.system.errors import MobileSRError

LENGTHS = [1, 2, 7, 31, 32, 33, 63, 64, 65, 97, 101, 200, 509, 1000]
GRIDS = [Grid(2), Grid(8), Grid(2, 2), Grid(8, 4), Grid(24, 8), Grid(64, 64)]
GEOMETRIES = [(1, 0), (16, 0), (16, 3), (16, 16), (64, 24), (100, 63)]


def assert_sound(spans, length, halo, grid=FREE, filled=None):
    """Cores cover the axis once, windows lie inside of the filled image, all of one size and on the grid, and every core has its halo or
    the image's border.
    """
    filled = filled or grid.padded(length)
    covered = np.zeros(length, int)
    for span in spans:
        covered[span.core_start : span.core_stop] += 1
        assert span.start >= 0 and span.stop <= filled
        assert span.size == spans[0].size
        assert span.start % grid.stride == 0 and span.size % grid.multiple == 0
        assert span.start == 0 or span.core_start - span.start >= halo
        assert span.stop == filled or span.stop - span.core_stop >= halo
        assert span.core_stop > span.core_start
    assert (covered == 1).all()


@pytest.mark.parametrize(("length", "geometry"), itertools.product(LENGTHS, GEOMETRIES))
def test_spans_are_sound(length, geometry):
    core, halo = geometry
    plan = plan_tiles(length, length + 5, core, halo)
    assert_sound(plan.rows, length, halo)
    assert_sound(plan.columns, length + 5, halo)
    assert max(plan.window) <= core + 2 * halo
    fixed = plan_fixed_tiles(length, length + 5, (core + 2 * halo, core + 2 * halo + 1), halo)
    assert_sound(fixed.rows, length, halo, filled=max(length, core + 2 * halo))
    assert_sound(fixed.columns, length + 5, halo, filled=max(length + 5, core + 2 * halo + 1))
    assert fixed.rows[0].size == core + 2 * halo


@pytest.mark.parametrize(("length", "geometry", "grid"), itertools.product(LENGTHS, GEOMETRIES, GRIDS))
def test_windows_stand_on_the_grid(length, geometry, grid):
    core, halo = geometry
    plan = plan_tiles(length, length + 5, core, halo, grid)
    assert_sound(plan.rows, length, halo, grid)
    assert_sound(plan.columns, length + 5, halo, grid)
    assert plan.rows[0].size % grid.stride == grid.padded(length) % grid.stride, "the last window ends as the image does"
    assert max(plan.window) <= max(core, grid.stride) + 2 * halo + grid.stride
    side = max(core, grid.stride) + 2 * halo
    fixed = plan_fixed_tiles(length, length, (side, side), halo, grid.stride)
    assert all(span.start % grid.stride == 0 for span in fixed.rows)
    assert_sound(fixed.rows, length, halo, Grid(grid.stride), filled=max(side, length + (side - length) % grid.stride))


def test_small_image_is_one_window_of_its_own_size():
    plan = plan_tiles(70, 80, 64, 8)
    assert len(plan) == 1 and plan.window == (70, 80)
    assert len(plan_tiles(81, 80, 64, 8)) == 2


def test_even_windows_do_less_work_than_full_ones():
    plan = plan_tiles(2000, 3000, 256, 32)
    fixed = plan_fixed_tiles(2000, 3000, (320, 320), 32)
    assert len(plan) == len(fixed) == 96
    assert plan.window[0] * plan.window[1] < 0.95 * 320 * 320


@pytest.mark.parametrize("arguments", [(10, 10, 0, 4), (10, 10, -3, 4), (10, 10, 8, -1)])
def test_impossible_tiles_are_refused(arguments):
    with pytest.raises(MobileSRError, match="give"):
        plan_tiles(*arguments)


def test_halo_that_fills_a_fixed_window_is_refused():
    with pytest.raises(MobileSRError, match="smaller `halo`"):
        plan_fixed_tiles(100, 100, (64, 64), 32)


def test_default_tile_grows_where_memory_allows():
    """LKDN-S needs 1848 bytes a pixel, LKDN 3808; a network of less gets the largest tile."""
    from conversion.upscaling.planning import default_tile

    sides = []
    for needed in (500.0, 1848.0, 3808.0, 12e3, 3e4, 1e5):
        engine = FakeEngine(nearest)
        engine.bytes_per_pixel = needed
        sides.append(default_tile(engine, 32))
    assert sides == [512, 384, 256, 128, 64, 64]
    engine.bytes_per_pixel = 2e5
    with pytest.raises(MobileSRError, match="takes 5 GiB for a tile of 64x64"):
        default_tile(engine, 32)


def test_live_bytes_of_a_chain():
    """Two tensors live at a time: the 16 and 32 channels in the middle, in float32."""
    from pathlib import Path

    from conversion.tflite.file import Operation, Tensor, TFLiteFile
    from conversion.tflite.live_bytes import live_bytes_per_pixel

    channels = (3, 16, 32, 3)
    tensors = tuple(Tensor(str(i), (1, 10, 20, c), "float32", (), (), 0) for i, c in enumerate(channels))
    weights = Tensor("kernel", (16, 1, 1, 3), "float32", (), (), 192)
    operations = tuple(Operation("CONV_2D", 1, (i, 4), (i + 1,)) for i in range(3))
    file = TFLiteFile(Path("x"), 0, (*tensors, weights), operations, (0,), (3,), {}, 1, {})
    assert live_bytes_per_pixel(file) == 4 * (16 + 32)
