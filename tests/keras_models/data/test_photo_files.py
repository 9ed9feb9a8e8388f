"""What lies in a folder, what is passed over and why, and which photos belong together."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_models.data.photo_files import Pair, TooSmallError, list_pairs, list_photos, names_of, read_pair
from keras_models.data.photo_set import load_photos
from keras_models.system.errors import ImageError


def picture(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(path, height=40, width=48, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, height, width)).save(path)
    return path


def test_everything_is_a_photo_or_passed_over_by_name(tmp_path):
    home = tmp_path / "in"
    for name in ("b.PNG", "a.png", "sub/c.Tiff", "sub/d.webp"):
        save(home / name)
    for name in ("notes.txt", "film.mov", "raw.dng", "noending", "sub/x.pdf", ".hidden.png", ".cache/e.png"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("x")
    (home / ".mobile-sr-a-0123456789ab.png").write_text("of another process")
    os.symlink(home / "sub", home / "link")
    os.symlink(home / "a.png", home / "linked.png")
    os.symlink(home / "nowhere.png", home / "broken.png")
    os.mkfifo(home / "pipe.png")
    (home / "folder.png").mkdir()
    found = list_photos(home)
    assert [p.relative_to(home).as_posix() for p in found.photos] == [
        "a.png",
        "b.PNG",
        "linked.png",
        "sub/c.Tiff",
        "sub/d.webp",
    ]
    reasons = {}
    for path, reason in found.passed_over:
        reasons.setdefault(reason, []).append(path.name)
    assert reasons == {
        "hidden": [".cache", ".hidden.png"],
        "link to a folder": ["link"],
        "that cannot be looked at, No such file or directory": ["broken.png"],
        "whose ending is no photo's": ["film.mov", "noending", "notes.txt", "raw.dng", "x.pdf"],
        "that is a device or a pipe": ["pipe.png"],
    }
    assert found.said().startswith(
        "2 hidden (.cache, .hidden.png), 1 link to a folder (link), 1 that cannot be looked at, No such file"
    )


def test_many_names_are_counted(tmp_path):
    for number in range(12):
        (tmp_path / f"{number:02}.txt").write_text("")
    assert (
        list_photos(tmp_path).said()
        == "12 whose ending is no photo's (00.txt, 01.txt, 02.txt, 03.txt, 04.txt and 7 more)"
    )


def test_an_unreadable_subfolder_and_a_name_that_is_no_text_stop_nothing(tmp_path, monkeypatch):
    """Played: root may read everything."""
    save(tmp_path / "a.png")
    save(tmp_path / "secret" / "b.png")
    save(tmp_path / "sub" / "c.png")
    odd = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    with open(odd, "wb") as file:
        file.write((tmp_path / "a.png").read_bytes())
    scandir = os.scandir

    def refusing(place):
        if not isinstance(place, int) and Path(place).name == "secret":
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refusing)
    found = list_photos(tmp_path)
    assert len(found.photos) == 3 and os.fsencode(found.photos[1]) == odd
    assert found.said() == "1 subfolder that cannot be read, Permission denied (secret)"
    photos = load_photos(tmp_path, 2, tmp_path / ".cache")
    assert [p.name for p in photos.photos] == ["a.png", "caf\udce9.png", "sub/c.png"]
    assert photos.skipped == (f"{tmp_path / 'secret'}: subfolder that cannot be read, Permission denied",)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(ImageError, match="no such folder"):
        list_photos(tmp_path / "nowhere")
    with pytest.raises(ImageError, match="no such folder"):
        list_photos(save(tmp_path / "a.png"))


def test_the_output_folder_is_left_out_also_through_a_link(tmp_path):
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "out" / "b.png")
    os.symlink(tmp_path / "in" / "out", tmp_path / "link")
    found = list_photos(tmp_path / "in", leave_out=tmp_path / "link")
    assert [p.name for p in found.photos] == ["a.png"] and not found.passed_over


def test_pairs_by_the_same_name_or_with_the_scale_behind_it(tmp_path):
    for name in ("a.png", "sub/b.png", "c.png"):
        save(tmp_path / "HR" / name)
    for name in ("a.png", "sub/bx2.png"):
        save(tmp_path / "LRx2" / name, 20, 24)
    pairs, _ = list_pairs(tmp_path, 2)
    assert [(p.name, p.low.relative_to(tmp_path).as_posix()) for p in pairs] == [
        ("a.png", "LRx2/a.png"),
        ("c.png", "LRx2/c.png"),
        ("sub/b.png", "LRx2/sub/bx2.png"),
    ]
    assert names_of(pairs) == ["a", "c", "sub/b"]
    assert read_pair(pairs[2], 2)[0].shape == (20, 24, 3)
    with pytest.raises(ImageError, match=r"c\.png: there is no LRx2/c\.png"):
        read_pair(pairs[1], 2)


def test_names_that_differ_in_their_endings_alone_keep_them(tmp_path):
    for name in ("a.png", "a.bmp", "b.png"):
        save(tmp_path / name)
    assert names_of(list_pairs(tmp_path, 2)[0]) == ["a.bmp", "a.png", "b.png"]


@pytest.mark.parametrize(
    ("low", "fits"),
    [
        ((20, 24), True),
        ((10, 12), False),
        ((40, 48), False),
        ((20, 23), False),
        ((19, 24), False),
        ((21, 24), False),
        ((24, 20), False),
    ],
)
def test_pairs_of_another_factor_are_refused(tmp_path, low, fits):
    """The photo may be larger by less than one low-resolution pixel: 41x49 for 20x24 at x2."""
    high = save(tmp_path / "h.png", 41, 49)
    pair = Pair("h", high, save(tmp_path / "l.png", *low))
    if fits:
        small, large = read_pair(pair, 2)
        assert small.shape == (20, 24, 3) and large.shape == (40, 48, 3)
    else:
        with pytest.raises(
            ImageError, match=f"49x41, its low-res image {low[1]}x{low[0]}: not x2: give matching pairs"
        ):
            read_pair(pair, 2)


def test_training_leaves_out_pairs_of_another_factor_by_name(tmp_path):
    for name, size in (("good.png", (20, 24)), ("bad.png", (10, 12))):
        save(tmp_path / "p" / "HR" / name)
        save(tmp_path / "p" / "LRx2" / name, *size)
    photos = load_photos(tmp_path / "p", 2, tmp_path / "cache")
    assert [p.name for p in photos.photos] == ["good.png"]
    assert photos.skipped == ("bad.png: 48x40, its low-res image 12x10: not x2: give matching pairs",)


def test_too_small_is_told_from_damaged(tmp_path):
    with pytest.raises(TooSmallError, match=r"t\.png: smaller than one low-res pixel"):
        read_pair(Pair("t", save(tmp_path / "t.png", 3, 3), None), 4)
