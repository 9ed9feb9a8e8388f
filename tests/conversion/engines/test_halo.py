"""The halo is the network's: declared by a card, measured on a foreign file, and no tile shows a seam."""

import dataclasses

import numpy as np
import pytest
from support.networks import randomise
from support.tiny_models import convert as convert_function

from conversion.convert_model import convert
from conversion.engines.base import DEFAULT_HALO, UNBOUNDED_HALO
from conversion.engines.cpu import CpuEngine
from conversion.engines.proof import declared_view
from conversion.tflite.file import read_tflite, with_metadata
from conversion.upscaling.pipeline import upscale_array
from keras_models.lkdn import LKDN
from keras_models.system.errors import MobileSRError

FAR = 48


def looks_far(image):
    """x2 by nearest neighbour, half of it from pixels 48 to the left and right: a 3x3 kernel of dilation 48."""
    import tensorflow as tf

    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[1, :, :, 0] = [[0.25], [0.5], [0.25]]
    mixed = tf.raw_ops.DepthwiseConv2dNative(
        input=image, filter=kernel, strides=[1] * 4, padding="SAME", dilations=[1, FAR, FAR, 1]
    )
    copies = np.tile(np.eye(3, dtype=np.float32), (1, 4))[None, None]
    return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(mixed, copies, 1, "SAME"), 2)}


def looks_everywhere(image):
    """x2, each pixel minus the image's mean: no tile knows it."""
    import tensorflow as tf

    level = image - 0.5 * tf.reduce_mean(image, (1, 2), keepdims=True)
    copies = np.tile(np.eye(3, dtype=np.float32), (1, 4))[None, None]
    return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(level, copies, 1, "SAME"), 2)}


@pytest.fixture
def image():
    """Noise, brighter to the right: parts of it have other means than the whole."""
    noise = np.random.default_rng(0).random((150, 400, 3), np.float32)
    return noise * np.linspace(0.2, 1, 400, dtype=np.float32)[:, None]


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    path = tmp_path_factory.mktemp("far") / "far.tflite"
    path.write_bytes(convert_function(looks_far, (1, 64, 64, 3)))
    return path


def test_a_network_that_looks_far_shows_no_seam(far, image):
    engine = CpuEngine(far, 1)
    assert engine.resizable and engine.halo == FAR
    whole = engine.run(image)
    assert np.abs(upscale_array(image, engine, tile=64) - whole).max() <= 1e-6
    assert np.abs(upscale_array(image, engine, tile=64, halo=DEFAULT_HALO) - whole).max() > 0.1, "control: a fixed halo"


def test_a_card_of_a_small_tile_does_not_hide_the_need(tmp_path):
    card = convert(randomise(LKDN(scale=2, features=4, attention_channels=4, blocks=1)), tmp_path / "small.tflite", tile=(24, 24))
    assert card.halo == 32 and CpuEngine(tmp_path / "small.tflite", 1).halo == 32


OWN = {"family": "LKDN"}


@pytest.mark.parametrize(
    ("card", "view"),
    [
        ({"version": 2, "halo": 8} | OWN, (8, 1)),
        ({"version": 2, "halo": 8, "stride": 2}, (8, 2)),
        ({"version": 2, "halo": 8, "family": "unknown", "stride": 1}, (8, 1)),
        ({"version": 1, "halo": 16} | OWN, (DEFAULT_HALO, 1)),  # cut by the tile in that version
        ({"version": 1, "halo": 64} | OWN, (64, 1)),
        ({"version": 2, "halo": 8, "family": "unknown"}, (None, 1)),  # made when nobody looked for blocks
        ({"version": 2, "halo": 8}, (None, 1)),
        ({"halo": 8, "stride": 0}, (None, 1)),
        ({"halo": 8, "stride": "2"} | OWN, (None, 1)),
        ({"halo": "16"} | OWN, (None, 1)),
        ({"halo": True} | OWN, (None, 1)),
        ({"halo": -1} | OWN, (None, 1)),
        ({}, (None, 1)),
    ],
)
def test_declared_view(card, view):
    assert declared_view(card) == view


def test_a_network_of_the_whole_image_runs_whole_or_not_at_all(tmp_path, image, monkeypatch):
    path = tmp_path / "mean.tflite"
    path.write_bytes(convert_function(looks_everywhere, (1, 64, 64, 3)))
    engine = CpuEngine(path, 1)
    assert engine.halo == UNBOUNDED_HALO
    whole = engine.run(image)
    assert np.array_equal(upscale_array(image, engine), whole)
    assert np.abs(upscale_array(image, engine, tile=64, halo=32) - whole).max() > 1 / 255, "control: tiles differ"
    monkeypatch.setattr("conversion.upscaling.planning.WHOLE_MEMORY", 1 << 20)
    with pytest.raises(MobileSRError, match="looks at the whole image"):
        upscale_array(image, engine)


def test_a_window_too_small_for_the_halo_is_refused(far, image):
    engine = CpuEngine(far, 1, dataclasses.replace(CpuEngine(far, 1)._proof, resizable=False))
    with pytest.raises(MobileSRError, match="tiles would show seams"):
        upscale_array(image, engine)
    assert upscale_array(image[:60, :60], engine).shape == (120, 120, 3), "one window needs no halo"


def test_the_file_is_parsed_once(far, monkeypatch):
    """Opening parses in the child alone: this process sees no flatbuffer."""
    monkeypatch.setattr("conversion.tflite.file.read_checked", lambda path: pytest.fail("parsed here"))
    engine = CpuEngine(far, 1)
    assert engine.bytes_per_pixel > 0 and engine.resizable


def test_a_file_with_a_card_measures_nothing(far, tmp_path, monkeypatch):
    path = tmp_path / "carded.tflite"
    card = {"version": 2, "halo": 40, "stride": 4}
    path.write_bytes(with_metadata(far.read_bytes(), card))
    assert read_tflite(path).card == card
    monkeypatch.setattr("conversion.engines.known.measure_view", lambda engine: pytest.fail("measured"))
    engine = CpuEngine(path, 1)
    assert (engine.halo, engine.stride) == (40, 4)
