"""The words behind `upscale`: inputs, outputs, - for standard streams, and what is said about many photos."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from support.photos import noise, samples_of, save_pillow, smooth
from support.tiny_models import FakeEngine, nearest
from typer.testing import CliRunner

from conversion.commands.upscale_paths import beside, outputs_of, sort_words
from conversion.upscaling.many import upscale_many
from conversion.upscaling.pipeline import UpscaleOptions
from keras_models.system.errors import ImageError, MobileSRError


@pytest.fixture
def command(tiny_model, tmp_path, monkeypatch):
    import typer

    from conversion.commands.upscale import upscale

    app = typer.Typer()
    app.command()(upscale)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, **options):
        return CliRunner().invoke(
            app, [*map(str, arguments), "--model", str(tiny_model("nearest"))], **options
        )

    return call


@pytest.fixture
def photos(tmp_path):
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        save_pillow(tmp_path / name, noise(seed=number))
    return tmp_path


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["a.png"], ["a_x2.png"]),
        (["a.png", "new.png"], ["new.png"]),
        (["a.png", "-o", "new.png"], ["new.png"]),
        (["a.png", "b.png"], ["a_x2.png", "b_x2.png"]),
        (["a.png", "b.png", "c.png"], ["a_x2.png", "b_x2.png", "c_x2.png"]),
        (["a.png", "b.png", "-o", "out"], ["out/a_x2.png", "out/b_x2.png"]),
        (["a.png", "b.png", "-o", "deep/er/out"], ["deep/er/out/a_x2.png", "deep/er/out/b_x2.png"]),
        (["a.png", "-o", "out"], ["out/a_x2.png"]),
        (["a.png", "-o", "out/", "--format", "jpeg"], ["out/a_x2.jpg"]),
        (["a.png", "out/"], ["out/a_x2.png"]),
        (["a.png", "b.png", "--width", "20", "--format", "webp"], ["a_20w.webp", "b_20w.webp"]),
    ],
)
def test_what_is_read_and_written(command, photos, words, made):
    result = command(*words)
    assert result.exit_code == 0, (result.exception, result.stderr)
    assert files(photos) == sorted(["a.png", "b.png", "c.png", *made])
    assert result.stdout.splitlines() == made and result.stderr == ""


def test_two_photos_that_exist_are_two_inputs_and_neither_is_overwritten(command, photos):
    before = (photos / "b.png").read_bytes()
    assert command("a.png", "b.png").exit_code == 0
    assert (photos / "b.png").read_bytes() == before
    result = command("a.png", "b.png")
    assert result.exit_code == 2 and result.stderr.count("exists already: use --overwrite") == 2
    assert command("a.png", "b.png", "--overwrite").stdout == "b.png\n", (
        "then the second is the output, as it says"
    )
    assert samples_of(photos / "b.png").shape[:2] == (18, 26)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([""], "an empty name"),
        (["a.png", ""], "an empty name"),
        (["nowhere.png"], "nowhere.png: no such file or folder"),
        (
            ["a.png", "b.png", "nowhere.png"],
            "nowhere.png: with several inputs the output is a folder that -o names: give -o nowhere.png",
        ),
        (["a.png", "b.png", "there"], "there: with several inputs the output is a folder that -o names"),
        (["a.png", "nowhere.png", "-o", "out"], "nowhere.png: no such file or folder"),
        (["a.png", "b.png", "-o", "c.png"], "c.png: is a file: several inputs need an output folder"),
        (["a.png", "a.png"], "would overwrite the input"),
        (["-", "a.png", "b.png"], "standard input is one photo"),
        (["a.png", "b.png", "-o", "-"], "standard output takes one photo"),
        (["a.png", "b/a.png"], "would both become"),
        (["a.png", "notes.txt"], "exists already"),
        (["a.png", "out.bmp"], "format unknown"),
    ],
)
def test_what_is_refused(command, photos, words, reason):
    (photos / "there").mkdir()
    (photos / "b").mkdir()
    (photos / "notes.txt").write_text("mine")
    save_pillow(photos / "b" / "a.png", noise())
    save_pillow(photos / "out.jpg", smooth(9, 9))
    before = files(photos)
    if reason == "would both become":
        words = [*words, "-o", "out"]
    result = command(*words)
    assert isinstance(result.exception, MobileSRError) and reason in str(result.exception)
    assert files(photos) == before


def test_one_photos_failure_is_that_photos(command, photos):
    (photos / "bad.png").write_text("no photo")
    result = command("a.png", "bad.png", "b.png")
    assert result.exit_code == 2 and result.stdout.split() == ["a_x2.png", "b_x2.png"]
    assert len(result.stderr.splitlines()) == 1 and "bad.png: not an image" in result.stderr


def test_any_exception_is_that_photos(photos):
    """A decoder's bug or a lack of memory stops no folder; a signal does."""

    def engine_that(error):
        def run(window):
            if window.shape[1] == 21:
                raise error
            return nearest(window)

        return FakeEngine(run)

    save_pillow(photos / "d.png", noise(9, 21))
    pairs = [(photos / name, photos / f"out-{name}") for name in ("a.png", "d.png", "c.png")]
    for error in (
        MemoryError(),
        UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates"),
        ZeroDivisionError("a bug"),
    ):
        result = upscale_many(pairs, engine_that(error), UpscaleOptions(overwrite=True))
        assert [p.name for p in result.done] == ["out-a.png", "out-c.png"]
        assert [type(error).__name__ in reason for _, reason in result.failed] == [True]
    with pytest.raises(KeyboardInterrupt):
        upscale_many(pairs, engine_that(KeyboardInterrupt()), UpscaleOptions(overwrite=True))


def test_an_output_that_is_a_folder_is_a_failure(photos):
    (photos / "out.png").mkdir()
    result = upscale_many([(photos / "a.png", photos / "out.png")], FakeEngine(nearest), UpscaleOptions())
    assert not result.skipped and "out.png: is a folder" in result.failed[0][1]


def test_what_another_process_has_made_meanwhile_is_skipped(photos):
    def run(window):
        (photos / "second.png").write_bytes(b"made meanwhile")
        return nearest(window)

    pairs = [(photos / "a.png", photos / "first.png"), (photos / "b.png", photos / "second.png")]
    result = upscale_many(pairs, FakeEngine(run), UpscaleOptions())
    assert [p.name for p in result.done] == ["first.png"] and [p.name for p in result.skipped] == [
        "second.png"
    ]
    assert (photos / "second.png").read_bytes() == b"made meanwhile"


def test_folders_among_several_inputs(command, photos):
    (photos / "in").mkdir()
    save_pillow(photos / "in" / "d.png", noise())
    result = command("a.png", "in", "-o", "out")
    assert result.exit_code == 0, result.exception
    assert files(photos / "out") == ["a_x2.png", "in_x2/d.png"]
    (photos / "empty").mkdir()
    result = command("in", "empty", "b.png")
    assert result.exit_code == 2 and "empty: no images" in result.stderr
    assert (photos / "b_x2.png").exists() and (photos / "in_x2/d.png").exists()


def test_a_link_to_a_folder_or_file_writes_beside_the_link(command, tmp_path):
    (tmp_path / "disk" / "photos").mkdir(parents=True)
    save_pillow(tmp_path / "disk" / "photos" / "a.png", noise())
    (tmp_path / "home").mkdir()
    os.symlink("../disk/photos", tmp_path / "home" / "photos")
    os.symlink("../disk/photos/a.png", tmp_path / "home" / "pic.png")
    assert command("home/photos").exit_code == 0 and command("home/pic.png").exit_code == 0
    assert files(tmp_path) == ["disk/photos/a.png", "home/photos_x2/a.png", "home/pic.png", "home/pic_x2.png"]


def test_the_folder_in_which_one_stands(command, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    save_pillow(tmp_path / "in" / "a.png", noise())
    monkeypatch.chdir(tmp_path / "in")
    assert command(".").exit_code == 0
    assert files(tmp_path) == ["in/a.png", "in_x2/a.png"]


def test_a_name_that_is_no_text(command, tmp_path):
    """Latin-1, as old disks have them: read, written, printed byte for byte, and in a folder."""
    odd = os.fsdecode(b"caf\xe9.png")
    save_pillow(tmp_path / "a.png", noise())
    os.rename(tmp_path / "a.png", tmp_path / odd)
    result = command(odd)
    assert result.exit_code == 0 and result.stdout_bytes == b"caf\xe9_x2.png\n"
    (tmp_path / "in").mkdir()
    for number in range(2):
        save_pillow(tmp_path / "in" / f"{number}.png", noise())
    (tmp_path / "in" / odd).write_bytes((tmp_path / odd).read_bytes())
    (tmp_path / "in" / os.fsdecode(b"bad\xe9.png")).write_text("no photo")
    result = command("in")
    assert result.exit_code == 2 and sorted(os.listdir(os.fsencode(tmp_path / "in_x2"))) == [
        b"0.png",
        b"1.png",
        b"caf\xe9.png",
    ]
    assert len(result.stderr.splitlines()) == 1 and "not an image" in result.stderr
    for suffix in ("jpg", "webp", "tif", "avif"):
        assert command(odd, os.fsdecode(b"out\xe9." + suffix.encode())).exit_code == 0, suffix


def test_standard_input_and_output(command, photos):
    content = (photos / "a.png").read_bytes()
    result = command("-", input=content)
    assert result.exit_code == 0 and result.stderr == ""
    assert np.asarray(Image.open(io.BytesIO(result.stdout_bytes))).shape == (18, 26, 3)
    result = command("-", "-", "--format", "jpeg", input=content)
    assert result.stdout_bytes.startswith(b"\xff\xd8\xff")
    assert (
        command("-", "from-stdin.webp", input=content).exit_code == 0
        and (photos / "from-stdin.webp").exists()
    )
    result = command("a.png", "-")
    assert Image.open(io.BytesIO(result.stdout_bytes)).size == (26, 18)
    result = command("-", input=b"no photo")
    assert isinstance(result.exception, ImageError) and result.stdout_bytes == b""
    assert files(photos) == ["a.png", "b.png", "c.png", "from-stdin.webp"]


def test_standard_input_is_called_by_its_word(command, photos):
    """Not by the file in the temporary folder that it is kept in."""
    result = command("-", input=b"no photo")
    assert str(result.exception).startswith("-: not an image")
    moving = io.BytesIO()
    Image.new("RGB", (8, 8)).save(moving, "JPEG", xmp=b'<x xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MotionPhoto="1"/>')
    result = command("-", "a.jpg", input=moving.getvalue())
    assert result.exit_code == 0 and result.stderr == "mobile-sr: -: the film behind it goes\n"


def test_what_is_no_regular_file_is_called_so(command, photos):
    os.mkfifo(photos / "pipe.png")
    assert "no regular file: `upscale -`" in str(command("pipe.png").exception)
    assert "no such file" in str(command("nothing.png").exception), "control"


def test_folders_of_an_output_are_made(command, photos):
    assert command("a.png", "new/folder/out.png").exit_code == 0
    assert "new/folder/out.png" in files(photos)


def test_threads_above_the_cores_are_capped_and_said(command, photos):
    cores = len(os.sched_getaffinity(0))
    result = command("a.png", "--threads", 100_000)
    assert result.exit_code == 0 and (photos / "a_x2.png").exists()
    assert (
        result.stderr == f"mobile-sr: --threads 100000: this machine has {cores} cores, so {cores} are used\n"
    )
    assert command("b.png", "--threads", cores).stderr == ""


def test_words_alone(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert sort_words(["a.png", "b.png"], None, False).output is None
    assert sort_words(["a.png", "b.png"], None, True).output == "b.png"
    (photos / "out").mkdir()
    assert sort_words(["a.png", "out"], None, False).into_folder
    assert (
        outputs_of([photos / "a.png"], None, "_x2.png")
        == [photos / "a_x2.png"]
        == [beside(photos / "a.png", "_x2.png")]
    )
