"""What a recipe may be fitted to: photos with light and shade, and a word where there are next to none."""

import numpy as np
import pytest
from PIL import Image

from conversion.commands.convert import _say_few
from conversion.quantization.photo_crops import FEW, low_resolution_crops
from keras_models.system.errors import ImageError

SIDE = 64


def folder_of(folder, *photos):
    folder.mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(folder / f"{number}.png")
    return folder


def flat(value):
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def noise(low, high):
    return np.random.default_rng(0).integers(low, high, (SIDE // 8, SIDE // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize(
    "photos",
    [[flat(0)], [flat(255)], [flat(128)] * 20, [noise(0, 20)], [noise(236, 256)], [noise(100, 130)] * 3],
    ids=["black", "white", "twenty grey", "night", "snow", "fog"],
)
def test_photos_without_light_and_shade_are_refused(photos, tmp_path):
    with pytest.raises(ImageError, match="nothing can be fitted to that"):
        low_resolution_crops(folder_of(tmp_path / "photos", *photos), 16, 2, 8)


@pytest.mark.parametrize("photos", [[noise(0, 256)], [noise(60, 180)], [flat(10), flat(200)], [noise(0, 20), noise(0, 256)]])
def test_control_others_are_taken(photos, tmp_path):
    assert low_resolution_crops(folder_of(tmp_path / "photos", *photos), 16, 2, 8).shape == (8, 16, 16, 3)


@pytest.mark.parametrize(
    ("recipe", "count", "said"),
    [("int8", 1, "fitted to 1 photo: "), ("int8", FEW - 1, "fitted to 11 photos"), ("int8", FEW, ""), ("float32", 1, "")],
)
def test_few_photos_are_said(recipe, count, said, tmp_path, capsys):
    _say_few(recipe, folder_of(tmp_path / "photos", *[noise(0, 256)] * count))
    assert said in capsys.readouterr().err if said else not capsys.readouterr().err


def test_without_photos_nothing_is_said(tmp_path, capsys):
    _say_few("int8", None)
    assert not capsys.readouterr().err
