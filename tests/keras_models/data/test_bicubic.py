"""Both MATLAB rules against the files that MATLAB wrote, bit for bit."""

import numpy as np
import pytest
from PIL import Image

from keras_models.data.bicubic import crop_to_multiple, enlarge, resize_matrix, shrink
from keras_models.system.errors import ImageError


def differing_samples(hr_folder, lr_folder, scale, multiple, rule):
    differing = total = 0
    for path in sorted(lr_folder.glob("*.png")):
        low = np.asarray(Image.open(path))
        high = np.asarray(Image.open(hr_folder / path.name))
        if low.ndim == 3 and high.ndim == 2:
            high = np.repeat(high[..., None], 3, axis=-1)
        made = shrink(crop_to_multiple(high, multiple), scale, rule)
        differing += np.count_nonzero(made != low)
        total += low.size
    return differing, total


def test_the_older_rule_reproduces_all_six_folders(shared):
    counts = [
        differing_samples(shared / "data" / s / "HR", shared / "data" / s / f"LRx{scale}", scale, scale, "older")
        for s in ("Set5", "Set14")
        for scale in (2, 3, 4)
    ]
    assert sum(c[0] for c in counts) == 0
    assert sum(c[1] for c in counts) > 4_500_000


@pytest.mark.parametrize(("name", "scale", "allowed"), [("Set5", 2, 0), ("Set5", 4, 3), ("Set14", 4, 3)])
def test_the_newer_rule_reproduces_mod12(name, scale, allowed, shared):
    folder = shared / "data" / name
    differing, total = differing_samples(folder / "HR", folder / "mod12" / f"LRx{scale}", scale, 12, "newer")
    assert total > 50_000
    assert differing <= allowed


def test_control_the_rules_are_not_interchangeable(shared):
    differing, total = differing_samples(shared / "data/Set5/HR", shared / "data/Set5/LRx4", 4, 4, "newer")
    assert differing > 0.05 * total


def test_constant_images_stay_constant():
    image = np.full((24, 36, 3), 77, np.uint8)
    assert (shrink(image, 3, "older") == 77).all() and (shrink(image, 3) == 77).all() and (enlarge(image, 3) == 77).all()


def test_enlarging_floats_is_linear_and_not_clipped():
    noise = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
    assert enlarge(noise, 4).shape == (36, 28, 3) and enlarge(noise, 4).dtype == np.float32
    np.testing.assert_allclose(enlarge(2 * noise - 1, 4), 2 * enlarge(noise, 4) - 1, atol=1e-6)
    assert enlarge(noise.round(), 4).max() > 1


def test_rows_of_the_matrix_sum_to_one_whatever_the_size():
    for size in (1, 2, 5, 64):
        for factor in (1 / 4, 1 / 3, 2, 4):
            for border in ("mirror", "clamp"):
                np.testing.assert_allclose(resize_matrix(size, factor, border).sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(
    ("image", "scale", "rule"),
    [
        (np.zeros((4, 4), np.float32), 2, "newer"),
        (np.zeros((4, 4), np.uint8), 0, "newer"),
        (np.zeros((4, 4), np.uint8), 2, "newest"),
        (np.zeros((0, 4), np.uint8), 2, "newer"),
    ],
)
def test_bad_input_is_one_line(image, scale, rule):
    with pytest.raises(ImageError, match="^[^\n]+: [^\n]+$"):
        shrink(image, scale, rule)
