"""Files of a QAT run that something has spoilt: one line that says which, as for a training run."""

import io

import numpy as np
import pytest

from conversion.graph.arrays import RangeTable, pack
from conversion.graph.from_keras import graph_of
from conversion.quantization.qat.run import _claim, best_measured, best_of
from conversion.quantization.qat.saved_graphs import saved_graph, saved_with_ranges
from keras_models.lkdn import LKDN
from keras_models.system.errors import TrainingError
from keras_models.training.run_folder import RunFiles

FACTS, IDENTITY = {"schema": 1, "task": "qat"}, {"data": "photos"}


def packed(content):
    target = io.BytesIO()
    np.savez(target, **content)
    return target.getvalue()


@pytest.fixture(scope="module")
def whole():
    """Name -> bytes of a sound run's files."""
    graph = graph_of(LKDN(2, 4, 2, 1), 8, 8)
    ranges = RangeTable({"image": 0}, np.array([[0.0, 1.0]], np.float32), np.array([True]))
    best = packed(pack(graph, ranges))
    log = b"step,seconds,loss,lr,val_psnr_y\n0,1.0,,0.001,21.5\n4,2.0,0.1,0.001,22.5\n"
    return {"best.npz": best, "start.npz": best, "float.npz": packed(pack(graph)), "log.csv": log, "run.json": b"{\"task\": \"qat\"}"}


@pytest.fixture
def run(whole, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


READ = {
    "best.npz": best_of,
    "start.npz": lambda folder: saved_with_ranges(folder, "start.npz"),
    "float.npz": lambda folder: saved_graph(folder, "float.npz"),
    "log.csv": best_measured,
    "run.json": lambda folder: _claim(RunFiles(folder), IDENTITY, FACTS),
}
"""What `quantize` and its training process read."""
ARRAYS = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "text": lambda data: b"hello " * 50,
    "another's": lambda data: packed({"a": np.zeros(3, np.float32)}),
}
SPOILT = {
    **{f"{kind} {name}": (name, spoil) for name in ("best.npz", "start.npz", "float.npz") for kind, spoil in ARRAYS.items()},
    "best.npz without ranges": ("best.npz", None),
    "log of words": ("log.csv", lambda data: data.replace(b"21.5", b"much")),
    "log of other columns": ("log.csv", lambda data: data + b"1,2,3,4,5,6,7,8\n"),
    "log of bytes": ("log.csv", lambda data: b"\xff\xfe\0" * 50),
    "empty log": ("log.csv", lambda data: b""),
    "facts that are a list": ("run.json", lambda data: b"[1]"),
    "facts cut off": ("run.json", lambda data: data[:-3]),
}


def test_control_a_sound_run(run):
    assert best_of(run)[1] == {"image": (0.0, 1.0)} and best_measured(run) == 22.5
    assert saved_graph(run, "float.npz").nodes.keys() == saved_with_ranges(run, "start.npz")[0].nodes.keys()


@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_file(kind, run, whole):
    name, spoil = SPOILT[kind]
    (run / name).write_bytes(whole["float.npz"] if spoil is None else spoil(whole[name]))
    with pytest.raises(TrainingError, match=f"{name}: .*(damaged|ranges).*: remove the folder") as caught:
        READ[name](run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["best.npz", "start.npz", "float.npz", "log.csv"])
def test_a_missing_file(name, run):
    (run / name).unlink()
    with pytest.raises(TrainingError, match=name):
        READ[name](run)
