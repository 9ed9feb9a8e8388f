"""`upscale` of a folder, and the command: what it prints, how it exits, what it refuses."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from support.photos import noise, samples_of, save_pillow, smooth
from support.tiny_models import SCALE
from typer.testing import CliRunner

from conversion.upscaling.folder import upscale_folder
from conversion.upscaling.pipeline import UpscaleOptions
from keras_models.system.errors import ImageError, MobileSRError

# Small tiles, so that small test images have many.
TILES = UpscaleOptions(tile=8, halo=2)


def enlarged(samples):
    return samples.repeat(SCALE, 0).repeat(SCALE, 1)


def make_tree(folder):
    save_pillow(folder / "a.png", noise(20, 20))
    (folder / "sub" / "deeper").mkdir(parents=True)
    save_pillow(folder / "sub" / "b.jpg", smooth(20, 20))
    save_pillow(folder / "sub" / "deeper" / "c.TIF", noise(20, 20, 1))
    (folder / "sub" / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("not an image")
    return folder


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folder_keeps_its_tree_and_one_bad_file_stops_nothing(nearest_engine, tmp_path):
    source = make_tree(tmp_path / "in") if (tmp_path / "in").mkdir() is None else None
    (source / "bad.png").write_text("text")
    seen = []
    result = upscale_folder(source, tmp_path / "out", nearest_engine, TILES, progress=lambda done, total: seen.append((done, total)))
    assert tree(tmp_path / "out") == ["a.png", "sub/b.png", "sub/deeper/c.png"]
    assert len(result.done) == 3 and result.skipped == ()
    assert [path.name for path, _ in result.failed] == ["bad.png"]
    assert "not an image" in result.failed[0][1]
    assert seen == sorted(seen) and seen[-1][0] == seen[-1][1]


def test_folder_skips_what_is_done(nearest_engine, tmp_path):
    (tmp_path / "in").mkdir()
    source = make_tree(tmp_path / "in")
    upscale_folder(source, tmp_path / "out", nearest_engine)
    (tmp_path / "out" / "a.png").write_bytes(b"old")
    (tmp_path / "out" / "sub" / "b.png").unlink()
    result = upscale_folder(source, tmp_path / "out", nearest_engine)
    assert [path.name for path in result.done] == ["b.png"] and len(result.skipped) == 2
    assert (tmp_path / "out" / "a.png").read_bytes() == b"old"
    result = upscale_folder(source, tmp_path / "out", nearest_engine, UpscaleOptions(overwrite=True))
    assert len(result.done) == 3
    np.testing.assert_array_equal(samples_of(tmp_path / "out" / "a.png"), enlarged(noise(20, 20)))


def test_folder_output_below_the_input_is_not_upscaled_again(nearest_engine, tmp_path):
    source = make_tree(tmp_path)
    for _ in range(2):
        result = upscale_folder(source, tmp_path / "sub" / "out", nearest_engine)
        assert len(result.done) + len(result.skipped) == 3
    with pytest.raises(ImageError, match="input folder itself"):
        upscale_folder(source, source, nearest_engine)


def test_folder_inputs_of_one_name_do_not_overwrite_each_other(nearest_engine, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    samples = {"a.png": noise(seed=1), "a.tif": noise(seed=2), "A.webp": noise(seed=3), "b.png": noise(seed=4)}
    for name, values in samples.items():
        save_pillow(source / name, values)
    upscale_folder(source, tmp_path / "out", nearest_engine)
    assert tree(tmp_path / "out") == ["A.webp.png", "a.png.png", "a.tif.png", "b.png"]
    np.testing.assert_array_equal(samples_of(tmp_path / "out" / "a.tif.png"), enlarged(samples["a.tif"]))


def test_a_subfolder_that_cannot_be_read_is_said(nearest_engine, tmp_path, monkeypatch):
    """It stops nothing, and its photos are not left out in silence. Played: root may read everything."""
    (tmp_path / "in").mkdir()
    source, scandir = make_tree(tmp_path / "in"), os.scandir

    def refusing(place):
        if Path(place).name == "deeper":
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refusing)
    result = upscale_folder(source, tmp_path / "out", nearest_engine)
    assert "1 subfolder that cannot be read, Permission denied (deeper)" in result.passed_over
    assert tree(tmp_path / "out") == ["a.png", "sub/b.png"] and not result.failed


def test_folder_without_images(nearest_engine, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    with pytest.raises(ImageError, match="no images"):
        upscale_folder(tmp_path / "in", tmp_path / "out", nearest_engine)
    assert not (tmp_path / "out").exists()


# --- the command


@pytest.fixture
def command(tiny_model):
    import typer

    from conversion.commands.upscale import upscale

    app = typer.Typer()
    app.command()(upscale)

    def call(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments), "--model", str(tiny_model("nearest"))])

    return call


def test_command_names_the_output(command, tmp_path):
    source = save_pillow(tmp_path / "photo.v1.jpg", smooth(20, 20))
    (tmp_path / "folder").mkdir()
    for arguments, name in [
        ((), "photo.v1_x2.png"),
        (("--factor", "1.5"), "photo.v1_x1.5.png"),
        (("--width", "30"), "photo.v1_30w.png"),
        (("--format", "webp"), "photo.v1_x2.webp"),
        ((tmp_path / "own.tif",), "own.tif"),
        ((tmp_path / "folder",), "folder/photo.v1_x2.png"),
    ]:
        result = command(source, *arguments)
        assert result.exit_code == 0, result.exception
        assert result.stdout == f"{tmp_path / name}\n" and result.stderr == ""
        assert (tmp_path / name).is_file()


def test_command_on_a_folder_lists_failures_and_exits_with_2(command, tmp_path):
    (tmp_path / "in").mkdir()
    source = make_tree(tmp_path / "in")
    (source / "bad.png").write_text("text")
    result = command(source)
    assert result.exit_code == 2
    over, failed = result.stderr.splitlines()
    assert "bad.png: not an image" in failed
    assert over.endswith("in: passed over: 1 hidden (.hidden.png), 1 whose ending is no photo's (notes.txt)")
    assert tree(tmp_path / "in_x2") == ["a.png", "sub/b.png", "sub/deeper/c.png"]
    (source / "bad.png").unlink()
    assert command(source).exit_code == 0


def test_a_result_whose_name_is_too_long_is_refused_and_stops_no_folder(command, tmp_path):
    """83 letters of three bytes: the photo's own name is short enough, with _x2.png behind it is not."""
    source = tmp_path / "in"
    source.mkdir()
    long = save_pillow(source / ("写" * 83 + ".png"), noise())
    save_pillow(source / "a.png", noise())
    result = command(long)
    assert isinstance(result.exception, MobileSRError) and "too long" in str(result.exception)
    assert command(source, tmp_path / "out").exit_code == 0, "without _x2 the name fits"
    assert len(tree(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--gpu", "--threads", 2), "threads are the CPU's"),
        (("--format", "gif"), "give png"),
        (("--threads", "0"), "give 1 or more"),
        (("--tile", "0"), "give 1"),
        (("--halo", "-1"), "give 0"),
        (("out.jpg", "--format", "png"), "leave one"),
    ],
)
def test_command_refuses_wrong_options(command, tmp_path, arguments, reason):
    source = save_pillow(tmp_path / "a.png", noise())
    result = command(source, *arguments)
    assert isinstance(result.exception, MobileSRError) and reason in str(result.exception)
    assert os.listdir(tmp_path) == ["a.png"]


def test_command_module_is_light():
    import subprocess
    import sys

    heavy = ("numpy", "pyvips", "rich.progress", "ai_edge_litert")
    code = f"import sys, conversion.commands.upscale; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_missing_input(command):
    assert "no such file or folder" in str(command(Path("/nowhere/a.png")).exception)


def test_names_that_differ_in_case_alone_stop_nothing(nearest_engine, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("IMG.jpg", "img.jpg", "img.png", "img.JPG"):
        save_pillow(source / name, smooth(20, 20))
    report = upscale_folder(source, target, nearest_engine, TILES)
    assert not report.failed and len(report.done) == 4
    assert tree(target) == ["IMG.jpg.png", "img.JPG.2.png", "img.jpg.3.png", "img.png.png"]
    assert len({name.casefold() for name in tree(target)}) == 4  # on a file system that knows no case they are four files too
