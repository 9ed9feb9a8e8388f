"""From a folder of photos to batches: exact pairs, a cache that is never trusted blindly, batches that depend on (seed, step)."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from keras_models.data.bicubic import shrink
from keras_models.data.degradation import DEGRADATIONS, _jpeg, degrade, gaussian_kernel
from keras_models.data.patches import Patches
from keras_models.data.photo_set import load_photos
from keras_models.data.read_rgb import read_rgb
from keras_models.system.atomic_files import cache_folder
from keras_models.system.errors import ImageError, TrainingError


def picture(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photos"
    (place / "deeper").mkdir(parents=True)
    Image.fromarray(picture(0, 50, 61)).save(place / "a.png")
    Image.fromarray(picture(1, 64, 48)).save(place / "deeper" / "b.PNG")
    (place / "notes.txt").write_text("not a photo")
    return place


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_pairs_are_cropped_and_shrunk_by_the_newer_rule(folder, cache):
    photos = load_photos(folder, 4, cache).photos
    assert [p.name for p in photos] == ["a.png", "deeper/b.PNG"]
    np.testing.assert_array_equal(photos[0].high, picture(0, 50, 61)[:48, :60])
    np.testing.assert_array_equal(photos[0].low, shrink(picture(0, 50, 61)[:48, :60], 4))


def test_photos_come_as_rgb_whatever_they_were(folder, cache):
    Image.fromarray(picture(2, 40, 40)[..., 0]).save(folder / "c-grey.png")
    Image.fromarray(picture(2, 40, 40)).quantize(16).save(folder / "d-palette.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture(2, 40, 32)).save(folder / "e-turned.jpg", exif=turned)
    shapes = {p.name: p.high.shape for p in load_photos(folder, 4, cache).photos}
    assert shapes["c-grey.png"] == shapes["d-palette.png"] == (40, 40, 3) and shapes["e-turned.jpg"] == (32, 40, 3)


def test_grey_of_sixteen_bits_keeps_its_greys(tmp_path):
    ramp = np.linspace(0, 65535, 40 * 40).astype(np.uint16).reshape(40, 40)
    for suffix in ("png", "tif"):
        Image.fromarray(ramp).save(tmp_path / f"ramp.{suffix}")
        np.testing.assert_array_equal(read_rgb(tmp_path / f"ramp.{suffix}"), np.stack([ramp >> 8] * 3, -1))
    Image.fromarray(ramp.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="pixels of 32 bits"):
        read_rgb(tmp_path / "float.tif")


def test_given_low_res_files_are_taken_as_they_are(tmp_path, cache):
    for name in ("HR", "LRx2"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
    low = picture(3, 20, 24)
    Image.fromarray(picture(4, 41, 48)).save(tmp_path / "pairs" / "HR" / "x.png")
    Image.fromarray(low).save(tmp_path / "pairs" / "LRx2" / "x.png")
    Image.fromarray(picture(4, 41, 48)).save(tmp_path / "pairs" / "HR" / "no-low.png")
    photos = load_photos(tmp_path / "pairs", 2, cache)
    assert [p.name for p in photos.photos] == ["x.png"]
    assert photos.skipped == ("no-low.png: there is no LRx2/no-low.png: give the low-res image the same name",)
    np.testing.assert_array_equal(photos.photos[0].low, low)
    assert photos.photos[0].high.shape == (40, 48, 3)
    with pytest.raises(TrainingError, match="has HR/ but no LRx3/"):
        load_photos(tmp_path / "pairs", 3, cache)


def test_damaged_photos_are_named_and_skipped(folder, cache):
    (folder / "text.jpg").write_text("hello")
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(picture(0, 3, 3)).save(folder / "speck.png")
    photos = load_photos(folder, 4, cache)
    assert [p.name for p in photos.photos] == ["a.png", "deeper/b.PNG"]
    assert [line.split(":")[0] for line in photos.skipped] == ["cut.png", "speck.png", "text.jpg"]
    assert load_photos(folder, 4, cache).skipped == photos.skipped, "the cache remembers"


def times_made(monkeypatch):
    made = []
    original = load_photos.__globals__["_make"]
    monkeypatch.setitem(load_photos.__globals__, "_make", lambda *a: (made.append(1), original(*a)))
    return made


@pytest.mark.parametrize(("variable", "place"), [("", "home/.cache/mobile-sr"), ("elsewhere", "elsewhere/mobile-sr")])
def test_where_the_cache_is(variable, place, tmp_path, monkeypatch):
    """An empty variable counts as none, as the XDG specification says; else the working folder would be the cache."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", variable and str(tmp_path / variable))
    assert cache_folder() == tmp_path / place


def test_the_cache_is_used_again(folder, cache, monkeypatch):
    made = times_made(monkeypatch)
    first, second = load_photos(folder, 4, cache), load_photos(folder, 4, cache)
    assert len(made) == 1 and first.fingerprint == second.fingerprint
    np.testing.assert_array_equal(first.photos[1].low, second.photos[1].low)


def spoil(cache, how):
    pixels, index = next(cache.glob("photos-*/pixels.bin")), next(cache.glob("photos-*/index.json"))
    if how == "cut":
        os.truncate(pixels, pixels.stat().st_size - 7)
    elif how == "flipped":
        data = bytearray(pixels.read_bytes())
        data[1234] ^= 1
        pixels.write_bytes(data)
    elif how == "no index":
        index.unlink()
    elif how == "half an index":
        index.write_text(index.read_text()[:40])
    elif how == "older version":
        index.write_text(json.dumps({**json.loads(index.read_text()), "version": 0}))


@pytest.mark.parametrize("how", ["cut", "flipped", "no index", "half an index", "older version"])
def test_a_spoiled_cache_is_made_again(folder, cache, how, monkeypatch):
    fingerprint = load_photos(folder, 4, cache).fingerprint
    spoil(cache, how)
    made = times_made(monkeypatch)
    assert load_photos(folder, 4, cache).fingerprint == fingerprint and len(made) == 1


def test_a_changed_folder_makes_the_cache_stale(folder, cache):
    old = load_photos(folder, 4, cache)
    Image.fromarray(picture(9, 50, 61)).save(folder / "a.png")
    new = load_photos(folder, 4, cache)
    np.testing.assert_array_equal(new.photos[0].high, picture(9, 50, 61)[:48, :60])
    assert new.fingerprint != old.fingerprint
    assert len(list(cache.glob("photos-*"))) == 1, "the stale one is removed"
    np.testing.assert_array_equal(old.photos[0].high, picture(0, 50, 61)[:48, :60], "who has it open keeps it")


def test_the_fingerprint_is_of_the_content_alone(folder, cache, tmp_path):
    other = tmp_path / "copy"
    (other / "deeper").mkdir(parents=True)
    for name in ("a.png", "deeper/b.PNG"):
        (other / name).write_bytes((folder / name).read_bytes())
    assert load_photos(folder, 4, cache).fingerprint == load_photos(other, 4, cache).fingerprint
    (other / "a.png").rename(other / "z.png")
    assert load_photos(folder, 4, cache).fingerprint != load_photos(other, 4, cache).fingerprint


def test_unusable_folders_are_one_line(folder, cache, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_text("x")
    for name, words in (("nowhere", "no such folder"), ("empty", "no photos"), ("bad", "none of its 1 photos")):
        with pytest.raises(TrainingError, match=f"^[^\n]*{words}[^\n]*$"):
            load_photos(tmp_path / name, 4, cache)
    (tmp_path / "file").write_text("x")
    with pytest.raises(TrainingError, match="cannot be written.*`cache`"):
        load_photos(folder, 4, tmp_path / "file")


def test_batches_depend_on_seed_and_step_alone(folder, cache):
    photos = load_photos(folder, 4, cache)
    patches = Patches(photos, 3, 6, seed=5, start=0, stop=50)
    late = Patches(photos, 3, 6, seed=5, start=40, stop=50)
    for a, b in zip(patches[42], late[2]):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(patches[42][0], patches.span(42, 43)[0][0])
    assert len(late) == 10
    assert not np.array_equal(patches[41][0], patches[42][0])
    assert not np.array_equal(patches[42][0], Patches(photos, 3, 6, seed=6).at(42)[0])


GOLDEN_SUM = 12203.89


def test_known_batch_stays_the_same_for_ever(tmp_path, cache):
    """A golden sum: a change of this number breaks every run that is under way."""
    (tmp_path / "one").mkdir()
    gradient = np.arange(40 * 44 * 3, dtype=np.uint32).reshape(40, 44, 3) % 251
    Image.fromarray(gradient.astype(np.uint8)).save(tmp_path / "one" / "g.png")
    low, high = Patches(load_photos(tmp_path / "one", 2, cache), 4, 8, seed=1).at(1000)
    weights = np.arange(high.size, dtype=np.float64).reshape(high.shape) % 17
    assert round(float((high * weights).sum()), 2) == GOLDEN_SUM


def test_high_and_low_patches_belong_together(folder, cache):
    """Inside a patch, away from its border, the low side is the shrunk high side, however it was flipped and turned."""
    low, high = Patches(load_photos(folder, 2, cache), 16, 12).at(0)
    assert low.dtype == high.dtype == np.float32 and low.shape == (16, 12, 12, 3) and high.shape == (16, 24, 24, 3)
    for small, large in zip(low, high):
        again = shrink(np.rint(large * 255).astype(np.uint8), 2)
        np.testing.assert_array_equal(again[3:-3, 3:-3], np.rint(small * 255).astype(np.uint8)[3:-3, 3:-3])


def test_all_eight_orientations_occur(tmp_path, cache):
    (tmp_path / "one").mkdir()
    tile = picture(1, 8, 8)
    Image.fromarray(tile).save(tmp_path / "one" / "t.png")
    patches = Patches(load_photos(tmp_path / "one", 2, cache), 1, 4)
    seen = {np.rint(patches.at(step)[1] * 255).astype(np.uint8).tobytes() for step in range(100)}
    assert len(seen) == 8 and tile.tobytes() in seen


def test_small_photos_are_named_and_left_out(folder, cache):
    Image.fromarray(picture(5, 80, 80)).save(folder / "large.png")
    patches = Patches(load_photos(folder, 4, cache), 1, 15)
    assert [p.name for p in patches.photos] == ["large.png"]
    assert patches.too_small[0] == "a.png: 60x48 is smaller than a patch of 60 pixels"
    (folder / "large.png").unlink()
    photos = load_photos(folder, 4, cache)
    with pytest.raises(TrainingError, match="all 2 photos are smaller than a patch of 80 pixels"):
        Patches(photos, 1, 20)


def test_real_photos_are_worse_than_bicubic_and_repeatable():
    high = np.asarray(Image.fromarray(picture(0, 12, 12)).resize((96, 96), Image.Resampling.BICUBIC))
    low = degrade(high, 4, np.random.default_rng(0))
    assert low.shape == (24, 24, 3) and low.dtype == np.uint8
    np.testing.assert_array_equal(low, degrade(high, 4, np.random.default_rng(0)))
    errors = [np.abs(degrade(high, 4, np.random.default_rng(i)).astype(int) - shrink(high, 4)).mean() for i in range(20)]
    assert min(errors) > 0.5 and np.std(errors) > 1


def test_photo_degradation_is_milder_and_leaves_a_quarter_clean():
    high = np.asarray(Image.fromarray(picture(0, 4, 4)).resize((96, 96), Image.Resampling.BICUBIC))
    clean = shrink(high, 4).astype(int)
    errors = {name: [np.abs(degrade(high, 4, np.random.default_rng(i), DEGRADATIONS[name]) - clean).mean() for i in range(60)]
              for name in ("real", "photo")}  # fmt: skip
    assert 8 <= sum(error == 0 for error in errors["photo"]) <= 22 and min(errors["real"]) > 0
    assert np.mean(errors["photo"]) < 0.5 * np.mean(errors["real"])


def test_jpeg_blocks_begin_anywhere():
    """A network may not learn where in a patch they begin: with all else equal, their borders move."""
    low = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(_jpeg(low, 30, 0, 0), _jpeg(low, 30, 0, 0)) and not np.array_equal(_jpeg(low, 30, 0, 0), _jpeg(low, 30, 5, 3))


def test_blur_kernels_sum_to_one_and_turn():
    assert gaussian_kernel(2, 0.5, 0.3).sum() == pytest.approx(1)
    np.testing.assert_allclose(gaussian_kernel(2, 0.5, 0), gaussian_kernel(2, 0.5, np.pi / 2).T, atol=1e-12)


def test_blurring_a_flat_patch_changes_nothing_but_noise():
    from keras_models.data.degradation import _filter

    np.testing.assert_allclose(_filter(np.full((16, 16, 3), 9.0), gaussian_kernel(3, 1, 1)), 9.0)


def test_the_example_folder_has_no_skipped_photo(shared, tmp_path):
    photos = load_photos(shared / "data/val", 4, tmp_path)
    assert len(photos.photos) == 11 and not photos.skipped
