"""Tiles of a real network on real photos: no seam at the default halo, equality at the receptive field, a control at halo 0."""

import numpy as np
import pytest
from PIL import Image

from conversion.engines.base import DEFAULT_HALO
from conversion.engines.cpu import CpuEngine
from conversion.upscaling.pipeline import upscale_array


@pytest.fixture(scope="module")
def engine(converted):
    return CpuEngine(converted("LKDN-S_x4"))


@pytest.fixture(scope="module", params=["comic", "zebra"])
def photo(request, shared):
    image = Image.open(shared / f"data/Set14/LRx4/{request.param}.png").convert("RGB")
    return np.asarray(image.resize((200, 190), Image.Resampling.LANCZOS), np.float32) / 255


def largest_difference(photo, engine, halo):
    return np.abs(upscale_array(photo, engine, tile=24, halo=halo) - engine.run(photo)).max()


def test_default_halo_is_within_one_grey_level(photo, engine):
    assert largest_difference(photo, engine, DEFAULT_HALO) <= 1 / 255


def test_receptive_field_gives_the_whole_image_result(photo, engine, released):
    assert largest_difference(photo, engine, released("LKDN-S_x4").receptive_radius) <= 1e-5


def test_no_halo_shows_seams(photo, engine):
    """Control: the comparison does see seams."""
    assert largest_difference(photo, engine, 0) > 10 / 255


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LKDN_x2", "LKDN_x3", "LKDN_x4"])
def test_default_halo_of_the_larger_networks(name, converted, shared):
    engine = CpuEngine(converted(name))
    photo = np.asarray(Image.open(shared / f"data/Set14/LR{name[-2:]}/comic.png").convert("RGB"), np.float32)[:150, :150] / 255
    assert np.abs(upscale_array(photo, engine, tile=64) - engine.run(photo)).max() <= 1 / 255
