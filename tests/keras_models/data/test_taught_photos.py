"""A teacher's results beside the photos: computed once, band by band, and cut at the same places."""

from dataclasses import replace

import numpy as np
import pytest
from support.networks import randomise
from support.tiny_training import TINY, make_photos, tiny_settings

from keras_models import shrink
from keras_models.compact import SRVGGNetCompact
from keras_models.data import taught_photos as module
from keras_models.data.patches import Patches
from keras_models.data.photo_set import load_photos
from keras_models.data.taught_photos import taught_photos
from keras_models.metrics import to_uint8
from keras_models.system.errors import TrainingError
from keras_models.training.run import build_student


@pytest.fixture(scope="module")
def teacher():
    return randomise(SRVGGNetCompact(scale=2, features=4, convolutions=2), seed=3)


@pytest.fixture
def photos(tmp_path):
    return load_photos(make_photos(tmp_path / "photos"), 2, tmp_path / "cache")


def whole(teacher, photo):
    return to_uint8(np.asarray(teacher(photo.low[None].astype(np.float32) / np.float32(255)))[0])


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_bands_give_what_the_whole_photo_does(photos, teacher, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(module, "BAND_PIXELS", rows * photos.photos[0].low.shape[1])
    for photo in taught_photos(photos, teacher, tmp_path / "cache").photos:
        assert np.abs(photo.taught.astype(int) - whole(teacher, photo)).max() <= 1  # a sum in another order


def test_control_a_band_that_sees_too_little_differs(photos, teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BAND_PIXELS", photos.photos[0].low.shape[1])
    monkeypatch.setattr(SRVGGNetCompact, "receptive_radius", 0)
    photo = taught_photos(photos, teacher, tmp_path / "cache").photos[0]
    assert np.abs(photo.taught.astype(int) - whole(teacher, photo)).max() > 5


def test_it_goes_on_where_it_was_and_mends_what_is_damaged(photos, teacher, tmp_path, monkeypatch):
    computed = []
    rows = module._rows
    monkeypatch.setattr(module, "_rows", lambda teacher, low: computed.append(1) or rows(teacher, low))

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taught_photos(photos, teacher, tmp_path / "cache", stop)
    first = [photo.taught.copy() for photo in taught_photos(photos, teacher, tmp_path / "cache").photos]
    assert len(computed) == len(photos.photos) == 3
    (folder,) = (tmp_path / "cache").glob("taught-*")
    (folder / "1.npy").write_bytes((folder / "1.npy").read_bytes()[:-1])
    again = taught_photos(photos, teacher, tmp_path / "cache")
    assert len(computed) == 4 and all(np.array_equal(a, b.taught) for a, b in zip(first, again.photos))
    taught_photos(photos, randomise(SRVGGNetCompact(scale=2, features=4, convolutions=2), seed=4), tmp_path / "cache")
    assert len(computed) == 7  # another teacher


def test_patches_are_cut_at_the_same_places(photos):
    """With the photos themselves in the teacher's place."""
    alike = replace(photos, photos=tuple(replace(photo, taught=photo.high) for photo in photos.photos))
    for step in range(3):
        (low, high), (same, both) = Patches(photos, 4, 8, seed=1).at(step), Patches(alike, 4, 8, seed=1).at(step)
        assert np.array_equal(low, same)
        np.testing.assert_array_equal(both, np.concatenate([high, high], axis=-1))


def test_early_pairs_give_way_to_the_photos(photos, teacher, tmp_path):
    """All of them at step 0, about half of them halfway, none from `early` on."""
    taught = taught_photos(photos, teacher, tmp_path / "cache")
    early, usual = Patches(taught, 200, 8, seed=1, early=10), Patches(taught, 200, 8, seed=1)
    low, high = early.at(0)
    assert np.array_equal(high[..., :3], high[..., 3:])
    for made, big in zip(low, high, strict=True):
        assert np.array_equal(to_uint8(made), shrink(to_uint8(big[..., :3]), 2))
    _, half = early.at(5)
    assert 70 < sum(np.array_equal(one[..., :3], one[..., 3:]) for one in half) < 130
    for one, other in zip(early.at(10), usual.at(10), strict=True):
        assert np.array_equal(one, other)


def test_early_pairs_without_a_teacher_are_refused(photos):
    with pytest.raises(TrainingError, match="made of a teacher's results: give `teacher` MODEL"):
        Patches(photos, 4, 8, early=10)


@pytest.mark.usefixtures("eagerly")
def test_the_loss_is_that_of_a_teacher_that_computes(photos, tmp_path):
    """Without rounding; and a teacher's whole share leaves nothing of the photo."""
    settings = tiny_settings(teacher_share=0.25)
    student, _ = build_student(settings, taught=True)
    low, high = np.random.default_rng(0).random((2, 8, 8, 3), np.float32), np.random.default_rng(1).random((2, 16, 16, 6), np.float32)
    made = np.asarray(student(low))
    wanted = 0.75 * np.abs(made - high[..., :3]).mean() + 0.25 * np.abs(made - high[..., 3:]).mean()
    assert float(student.test_on_batch(low, high)) == pytest.approx(wanted, rel=1e-5)
    assert settings.preset == TINY


def test_a_teacher_of_another_scale_is_refused(photos, tmp_path):
    with pytest.raises(TrainingError, match="enlarges by 3, not 2: give one of that scale"):
        taught_photos(photos, SRVGGNetCompact(scale=3, features=4, convolutions=1), tmp_path / "cache")
