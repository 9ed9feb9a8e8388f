"""Files that ask for much time or memory: refused by one line, and what lies just below each limit is read, within 10 s and 1 GB."""

from pathlib import Path

import pytest
from support import hostile_files as files
from support.command_line import one_line_error, run_here

from keras_models.checkpoints.tensor_pickle import MAX_PICKLE_BYTES, MAX_TENSORS
from keras_models.checkpoints.zip_limits import MAX_BYTES, MAX_MEMBERS
from keras_models.system import sandbox
from keras_models.system.errors import MobileSRError
from keras_models.system.sandbox import Limits, isolated

FLOOD = MAX_PICKLE_BYTES - 1000
"""Operations of one byte that fit; a pickle has three other bytes, its zip is no part of the limit."""
ROWS = "holds no state_dict"
"""What was read to its end, and is no checkpoint."""


class BeyondError(MobileSRError):
    """The process of the reading was killed, or died."""


@pytest.fixture(scope="module")
def read():
    """Reads a file in a process with limits; errors of the reader are those that it would raise here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patched.setattr(sandbox, "_helpers", {})
        yield lambda path: isolated("support.limited_reading:read", [str(path)], BeyondError, Limits(10.0, 1 << 30))
        for helper in sandbox._helpers.values():
            helper.child.close()


def written(folder, suffix, content):
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    return path


def said(read, path):
    """What a refusal says, without the file's name."""
    with pytest.raises(MobileSRError) as caught:
        read(path)
    assert not isinstance(caught.value, BeyondError), caught.value
    assert "\n" not in str(caught.value) and str(path) in str(caught.value) and len(str(caught.value)) < 400 + len(str(path))
    return str(caught.value)


BEYOND = {
    "numbers of one hash as keys": (".pth", lambda: files.pth_colliding_keys(100_000), "key is no name"),
    "a key that takes for ever to hash": (".pth", lambda: files.pth_nested_key(200), "key is no name"),
    "9 dimensions": (".pth", lambda: files.pth_rank(9), "more than 8 dimensions"),
    "20,000 dimensions": (".pth", lambda: files.pth_rank(20_000), "more than 8 dimensions"),
    "a kind that takes for ever to print": (".pth", lambda: files.pth_laughing_kind(200), "something else than a storage"),
    "a count that takes for ever to print": (".pth", lambda: files.pth_laughing_count(200), "something else than a storage"),
    "17 arguments": (".pth", lambda: files.pth_calls(17, 1), "too many arguments"),
    "a million arguments, often": (".pth", lambda: files.pth_calls(2_000_000, 300_000), "too many arguments"),
    "30,001 tensors": (".pth", lambda: files.pth_tensors(MAX_TENSORS + 1), "over 30,000 tensors"),
    "a longer pickle": (".pth", lambda: files.pth_flood(MAX_PICKLE_BYTES, b"("), "4,194,304 are read"),
    "a gigabyte that says it is 100 bytes": (".pth", lambda: files.pth_lying(1 << 30), "cut off"),
    "a list of 100,000 members": (".pth", lambda: files.zip_directory(100_000), "more files than the 30,000"),
    "30,001 members": (".npz", lambda: files.zip_directory(MAX_MEMBERS + 1), "30,001 files: 30,000 are"),
    "a long header": (".safetensors", lambda: files.safetensors_empty(1_600_000), "4,194,304 is the most"),
    "a deep header": (".safetensors", lambda: files.safetensors_of(b'{"a":' * 700_000), "no JSON"),
    "long shapes": (".tflite", lambda: files.tflite_shapes(20_000, 20_000), "over 8,388,608 bytes"),
    "long names": (".tflite", lambda: files.tflite_names(2000, 1 << 20), "over 8,388,608 bytes"),
    "many scales": (".tflite", lambda: files.tflite_scales(12_000, 100_000), "over 8,388,608 bytes"),
    "many variants": (".tflite", lambda: files.tflite_variants(20_000, 20_000), "over 20,000 parts"),
    "many inputs": (".tflite", lambda: files.tflite_inputs(20_000, 1_000_000), "over 8,388,608 bytes"),
    "many signatures": (".tflite", lambda: files.tflite_signatures(20_000, 20_000), "over 20,000 parts"),
    "repeated metadata": (".tflite", lambda: files.tflite_metadata(10_000, 200_000), "over 16,777,216 bytes"),
    "many operations": (".tflite", lambda: files.tflite_operators(45_000), "over 20,000 parts"),
}
"""Kind -> ending, content, words of the refusal."""

BELOW = {
    "numbers as keys": (".pth", lambda: files.pth_numbered(300_000), 1),
    "8 dimensions": (".pth", lambda: files.pth_rank(8), 1),
    "16 arguments": (".pth", lambda: files.pth_calls(16, 400_000), ROWS),
    "30,000 tensors": (".pth", lambda: files.pth_tensors(MAX_TENSORS), ROWS),
    "marks": (".pth", lambda: files.pth_flood(FLOOD, b"("), "damaged checkpoint"),
    "lists": (".pth", lambda: files.pth_flood(FLOOD, b"]"), ROWS),
    "tuples": (".pth", lambda: files.pth_flood(FLOOD, b"(t"), ROWS),
    "dictionaries": (".pth", lambda: files.pth_flood(FLOOD, b"}"), ROWS),
    "long numbers": (".pth", lambda: files.pth_flood(FLOOD, b"\x8a\xff" + b"\x7f" * 255), ROWS),
    "short texts": (".pth", lambda: files.pth_flood(FLOOD, b"X\1\0\0\0a"), ROWS),
    "30,000 members": (".npz", lambda: files.zip_directory(MAX_MEMBERS), "not a readable .npz"),
    "15,000 arrays": (".npz", lambda: files.npz_members(15_000), 15_000),
    "a header of 4 MB": (".safetensors", lambda: files.safetensors_empty(70_000), 70_000),
    "shapes": (".tflite", lambda: files.tflite_shapes(15_000, 8), 15_000),
    "names": (".tflite", lambda: files.tflite_names(15_000, 500), 15_000),
    "scales": (".tflite", lambda: files.tflite_scales(9_000, 200), 9_000),
    "variants": (".tflite", lambda: files.tflite_variants(100, 190), 100),
    "inputs": (".tflite", lambda: files.tflite_inputs(15_000, 120), 1),
    "signatures": (".tflite", lambda: files.tflite_signatures(100, 90), 1),
    "metadata": (".tflite", lambda: files.tflite_metadata(16, 1_000_000), 1),
    "operations": (".tflite", lambda: files.tflite_operators(9_900), 9_901),
}
"""Kind -> ending, content, how many parts are read, or what else is wrong with it."""


@pytest.mark.parametrize("kind", BEYOND)
def test_beyond_the_limit(kind, read, tmp_path):
    suffix, make, words = BEYOND[kind]
    assert words in said(read, written(tmp_path, suffix, make()))


LONG = ("names", "scales", "inputs", "variants", "signatures", "tuples", "dictionaries")
"""Much like the others beside them."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in LONG else kind for kind in BELOW])
def test_control_below_the_limit(kind, read, tmp_path):
    suffix, make, answer = BELOW[kind]
    path = written(tmp_path, suffix, make())
    if isinstance(answer, int):
        assert read(path) == answer
    else:
        assert answer in said(read, path)


@pytest.mark.parametrize(("depth", "width", "words"), [(17, 1, "over 16 deep"), (3000, 1, "over 16 deep"), (1, 5001, "more than 5,000")])
def test_hdf5_of_many_groups(depth, width, words, read, tmp_path):
    files.hdf5_deep(tmp_path / "a.h5", depth, width)
    with pytest.raises(MobileSRError, match=words):
        read(tmp_path / "a.h5")


def test_control_hdf5_at_the_limit(read, tmp_path):
    files.hdf5_deep(tmp_path / "a.h5", 16, 312)
    assert read(tmp_path / "a.h5") == 0


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz", ".tflite"])
def test_a_file_of_forty_gigabytes(suffix, read, tmp_path):
    """With holes: it takes no room on the disk."""
    path = written(tmp_path, suffix, b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" if suffix == ".pth" else b"")
    with path.open("r+b") as file:
        file.truncate(40 << 30)
    assert "is the most that is read" in said(read, path) or suffix == ".npz"


def test_a_file_of_forty_gigabytes_that_would_be_converted(tmp_path):
    """`upscale` and others hash a model before they look for its conversion."""
    from conversion.engines.tflite_cache import tflite_of
    from conversion.source import ModelSource

    for suffix in (".keras", ".onnx", ".tflite", ".pth"):
        with (tmp_path / f"a{suffix}").open("wb") as file:
            file.truncate(40 << 30)
        with pytest.raises(MobileSRError, match=f"{MAX_BYTES:,} is the most"):
            tflite_of(ModelSource.of(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".pth", lambda: files.pth_rank(20_000)),
        (".pth", lambda: files.pth_laughing_kind(28)),
        (".safetensors", lambda: files.safetensors_empty(60_000)),
        (".npz", lambda: files.zip_directory(MAX_MEMBERS + 1)),
    ],
)
def test_on_the_command_line(suffix, make, capfd, monkeypatch, tmp_path):
    """Status 2 and one line; 60,000 empty tensors are read, and belong to no network."""
    path = written(tmp_path, suffix, make())
    assert f"a{suffix}: " in one_line_error(run_here(capfd, monkeypatch, "import", path, "-o", tmp_path / "o.keras"))
    assert not (tmp_path / "o.keras").exists()


def test_inspect_on_the_command_line(capfd, monkeypatch, tmp_path):
    path = written(tmp_path, ".tflite", files.tflite_names(4000, 1 << 20))
    assert "no network for phones" in one_line_error(run_here(capfd, monkeypatch, "inspect", path))
