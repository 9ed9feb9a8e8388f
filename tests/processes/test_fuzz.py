"""The fuzzing of docs/hardening.md in small: every reader of outside files, the same program, a fixed seed, few files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "fuzz.py"
TRIALS = 10
"""Of each reader; docs/hardening.md has 10,000 of each."""
READERS = (
    "png",
    "jpeg",
    "webp",
    "tiff",
    "bmp",
    "gif",
    "heic",
    "avif",
    "phone",
    "named",
    "pth",
    "safetensors",
    "npz",
    "keras",
    "tflite",
    "onnx",
    "models.json",
    "card",
    "log",
    "run",
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Reader -> what became of its files, from one run of the program."""
    out = tmp_path_factory.mktemp("fuzz")
    command = [sys.executable, str(PROGRAM), *READERS, "--trials", str(TRIALS), "--out", str(out)]
    subprocess.run(command, capture_output=True, check=False)
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/outcome.json")}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_files_are_read_or_refused_by_one_line(outcomes, reader):
    outcome = outcomes[reader]
    assert outcome["trials"] == TRIALS
    assert outcome["findings"] == []
    assert reader in ("log", "card") or outcome["refused"] > 0, "the files are not spoilt enough"
    assert outcome["read"] + outcome["refused"] == outcome["trials"]


def test_control_what_is_no_clear_line_is_found(tmp_path):
    """A reader that crashes, hangs, floods memory or raises something else is caught, and the trials behind it go on."""
    program = f"""
import os, sys, time
sys.path.insert(0, {str(PROGRAM.parent)!r})
import fuzz, fuzz_readers
from pathlib import Path
from keras_models.system.errors import ModelError

class TwoLines(ModelError):
    def __str__(self):
        return "two\\nlines"

def trial(path, scratch):
    number = int(path.read_bytes()) % 7
    if number == 0: raise ModelError("one line")
    if number == 1: raise TwoLines()
    if number == 2: raise KeyError("no")
    if number == 3: os.abort()
    if number == 4: len(bytes(3 << 30))
    if number == 5:
        while True: pass

def seeds(folder):
    (folder / "a.txt").write_text("1")
    return [folder / "a.txt"]

fuzz.HANG_S = 0.5
fuzz.trial_file = lambda name, seed, trial, folder: str(trial).encode()
fuzz.READERS["x"] = fuzz_readers.Reader(".txt", seeds, None, trial)
fuzz.write_seeds(["x"], {str(tmp_path)!r})
fuzz.fuzz("x", 21, 0, Path({str(tmp_path)!r}))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    outcome = json.loads((tmp_path / "x" / "outcome.json").read_text())
    assert outcome["trials"] == 21 and outcome["read"] == outcome["refused"] == 3
    kinds = {}
    for trial, kind, _ in outcome["findings"]:
        kinds.setdefault(trial % 7, set()).add(kind)
    assert kinds == {1: {"lines"}, 2: {"traceback"}, 3: {"crash"}, 4: {"traceback"}, 5: {"hang"}}
