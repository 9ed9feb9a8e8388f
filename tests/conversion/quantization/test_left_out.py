"""Photos that a calibration cannot use are named: what integers were fitted to is no secret."""

import warnings

import numpy as np
import pytest
from PIL import Image
from support.command_line import run_here
from support.photos import smooth

from conversion.calibration_images import photo_crops
from conversion.quantization.photo_crops import low_resolution_crops
from keras_models.system.errors import LeftOut


@pytest.fixture
def folder(tmp_path):
    """Two good photos, one that is cut off, one that is small, and a text called .png."""
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(smooth(160, 160)).save(place / name)
    whole = (place / "a.png").read_bytes()
    (place / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(smooth(20, 30)).save(place / "small.png")
    (place / "text.png").write_text("no picture")
    return place


def said_by(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = call()
    return [str(warning.message) for warning in caught if warning.category is LeftOut], made


@pytest.mark.parametrize("crops", [lambda folder: photo_crops(folder, 32, 32), lambda folder: low_resolution_crops(folder, 16, 2, 8)])
def test_each_is_named_with_its_reason(folder, crops):
    lines, _ = said_by(lambda: crops(folder))
    for word, times in (("cut.png: cannot be read", 1), ("text.png: not an image", 1), ("smaller than 32x32 pixels: small.png", 1)):
        assert sum(word in line for line in lines) == times, lines
    assert len(lines) == 3 and all(line.startswith("left out: ") for line in lines)
    for name in ("cut.png", "text.png", "small.png"):
        (folder / name).unlink()
    assert said_by(lambda: crops(folder))[0] == [], "control: nothing to say of good photos"


def test_what_is_drawn_does_not_depend_on_them(folder):
    _, with_bad = said_by(lambda: low_resolution_crops(folder, 16, 2, 8))
    assert with_bad.shape == (8, 16, 16, 3) and np.isfinite(with_bad).all()


def test_the_command_says_it_on_a_line_each(folder, tmp_path, capfd, monkeypatch):
    ended = run_here(capfd, monkeypatch, "convert", "lkdn-s", "-o", tmp_path / "a.tflite", "--tile", "24x24", "--calibration", folder)
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if "left out" in line]
    assert len(lines) == 3 and all(line.startswith("mobile-sr: left out: ") for line in lines), ended.stderr
