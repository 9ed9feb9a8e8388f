"""Scale 1, restoration without enlarging, through everything that people call: the file, upscale, evaluate, the report."""

import keras
import numpy as np
import pytest
from PIL import Image
from support.command_line import run

from conversion.convert_model import convert
from conversion.measuring.evaluate import evaluate_model
from conversion.upscaling.upscale import upscale
from keras_models.compact import SRVGGNetCompact

SHIFT = 8


@pytest.fixture(scope="module")
def brighter(tmp_path_factory):
    """A file that adds 8 of 255 to every pixel: what it makes of a picture is known exactly."""
    network = SRVGGNetCompact(scale=1, features=4, convolutions=1)
    network.set_weights([np.zeros_like(w) for w in network.get_weights()[:-1]] + [np.full(3, SHIFT / 255, np.float32)])
    path = tmp_path_factory.mktemp("restoring") / "brighter.tflite"
    convert(network, path, tile=(24, 24))
    return path


@pytest.fixture
def photos(tmp_path):
    """HR is what the file should make of LRx1."""
    image = np.random.default_rng(0).integers(0, 256 - SHIFT, (50, 70, 3), np.uint8)
    for folder, pixels in (("HR", image + SHIFT), ("LRx1", image)):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / "a.png")
    return tmp_path


def test_upscale_keeps_the_size(brighter, photos):
    result = run("upscale", photos / "LRx1" / "a.png", "-o", photos / "out.png", "--model", brighter)
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.asarray(Image.open(photos / "out.png")), np.asarray(Image.open(photos / "HR" / "a.png")))


def test_python_and_tiles(brighter):
    image = np.random.default_rng(1).random((31, 90, 3), np.float32) * 0.9
    result = upscale(image, brighter)
    assert result.shape == image.shape and np.abs(result - image - SHIFT / 255).max() <= 1e-6


def test_evaluate_reads_the_pairs(brighter, photos):
    assert evaluate_model(brighter, photos).mean.psnr_y > 100


@pytest.mark.slow
def test_report(photos):
    network = SRVGGNetCompact(scale=1, features=4, convolutions=1)
    network.save(photos / "small.keras")
    result = run("report", photos / "small.keras", "--data", photos, "-o", photos / "page.html")
    assert result.returncode == 0 and "x1" in (photos / "page.html").read_text(), result.stderr
    keras.backend.clear_session()
