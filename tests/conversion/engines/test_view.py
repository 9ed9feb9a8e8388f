"""Tiles of networks that see an image in blocks, or all of it at once: the whole image's pixels, or a refusal."""

import numpy as np
import pytest
from support import odd_networks
from support.made_once import made_once
from support.tiny_models import FakeEngine, convert, nearest

from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.cpu import CpuEngine
from conversion.engines.values import Said
from conversion.engines.view import View, measure_view
from conversion.upscaling import planning
from conversion.upscaling.pipeline import run_filled, upscale_array
from keras_models.system.errors import MobileSRError, ModelError


@pytest.fixture(scope="module")
def engine_of(run_folder):
    engines = {}

    def opened(name):
        if name not in engines:
            network = getattr(odd_networks, name)
            folder = made_once(run_folder / f"odd_{name}", lambda f: (f / "m.tflite").write_bytes(convert(network, (1, 64, 64, 3))))
            engines[name] = CpuEngine(folder / "m.tflite", 1, said=Said("0..1"))
        return engines[name]

    return opened


@pytest.fixture(scope="module")
def image():
    """Dark leaves to the left, bright noise to the right: parts have other means, contrasts and maxima than the whole. Odd sides."""
    random = np.random.default_rng(0)
    noise = random.random((151, 333, 3), np.float32) * np.linspace(0, 1, 333, dtype=np.float32)[:, None]
    tint = random.random((1, 1, 3), np.float32) * np.linspace(0.1, 1, 333, dtype=np.float32)[:, None]
    return (0.4 * noise + 0.5 * tint).astype(np.float32)


def whole_image(engine, image):
    size = tuple(-(-side // engine.multiple) * engine.multiple for side in image.shape[:2])
    return run_filled(engine, image, size)


BLOCKS = {"unshuffle": (2, 2), "unet": (4, 4), "window_attention": (8, 8)}


@pytest.mark.parametrize("name", BLOCKS)
def test_windows_start_at_blocks(name, engine_of, image):
    engine = engine_of(name)
    assert engine.resizable and (engine.stride, engine.multiple) == BLOCKS[name]
    whole = whole_image(engine, image)
    for tile in (40, 37):
        assert np.abs(upscale_array(image, engine, tile) - whole).max() <= 1 / 255


@pytest.mark.parametrize("name", BLOCKS)
def test_a_window_off_the_blocks_is_another_picture(name, engine_of, image):
    """Control: what is compared above does depend on where a window starts."""
    engine = engine_of(name)
    whole, shifted = whole_image(engine, image), whole_image(engine, image[1:, 1:])
    inner = slice(2 * engine.halo, -2 * engine.halo - 2)
    assert np.abs(shifted - whole[2:, 2:])[inner, inner].max() > 2 / 255


WHOLE = ["instance_norm", "group_norm", "squeeze_excitation", "largest_of_all", "faint_mean"]


@pytest.mark.parametrize("name", WHOLE)
def test_what_depends_on_all_of_an_image_sees_all_of_it(name, engine_of, image, monkeypatch):
    engine = engine_of(name)
    assert engine.view == View(UNBOUNDED_HALO, 1)
    whole = engine.run(image)
    assert np.array_equal(upscale_array(image, engine), whole)
    assert np.abs(upscale_array(image, engine, tile=48, halo=32) - whole).max() > 1 / 255, "control: tiles differ"
    monkeypatch.setattr(planning, "WHOLE_MEMORY", 1 << 20)
    with pytest.raises(MobileSRError, match="looks at the whole image"):
        upscale_array(image, engine)


def test_a_reach_of_70(engine_of, image):
    engine = engine_of("reach_70")
    assert engine.stride == 1 and 56 <= engine.halo <= 72
    assert np.abs(upscale_array(image, engine, 40) - engine.run(image)).max() <= 1 / 255
    assert np.abs(upscale_array(image, engine, 40, halo=32) - engine.run(image)).max() > 1 / 255, "control"


def test_a_place_that_is_written_into_the_file_allows_no_tiles(engine_of, image):
    engine = engine_of("written_place")
    assert not engine.resizable and engine.halo == UNBOUNDED_HALO
    assert upscale_array(image[:64, :64], engine).shape == (128, 128, 3)
    with pytest.raises(MobileSRError, match="tiles would show seams"):
        upscale_array(image, engine)


def test_what_was_measured_is_remembered(engine_of, monkeypatch, tmp_path):
    engine = engine_of("unshuffle")
    known = engine.view
    monkeypatch.setattr("conversion.engines.known.measure_view", lambda engine: pytest.fail("measured again"))
    assert CpuEngine(engine.path, 1, said=engine.said).view == known


@pytest.mark.parametrize("how", ["by what a pixel takes", "by an error"])
def test_windows_that_would_take_too_much_are_not_measured(how):
    """Attention over all pixels takes memory by the square of them: it is known for what it is by the smallest windows."""
    seen = []

    def mean_of_all(window):
        seen.append(window.shape[0])
        if how == "by an error" and window.shape[0] > 128:
            raise ModelError("takes more than 4 GiB")
        return nearest(0.5 * window + 0.5 * window.mean(axis=(0, 1)))

    engine = FakeEngine(mean_of_all)
    engine.bytes_per_pixel = 100_000.0 if how == "by what a pixel takes" else 1000.0
    assert measure_view(engine).halo == UNBOUNDED_HALO
    assert seen.count(256) == (how == "by an error") and 512 not in seen
    seen.clear()
    control = FakeEngine(lambda window: seen.append(window.shape[0]) or nearest(0.5 * window + 0.5 * window.mean(axis=(0, 1))))
    control.bytes_per_pixel = 1000.0
    assert measure_view(control).halo == UNBOUNDED_HALO and 512 in seen, "control"
