"""Ctrl-C, SIGTERM, a full disk, a folder that cannot be written: the old file or nothing, no temporary file, one line."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command_line import MOBILE_SR, one_line_error, run
from support.disks import mounted
from support.photos import save_pillow, smooth
from support.tiny_models import FakeEngine, nearest
from support.tiny_training import make_photos

from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import OutputError

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
OLD = b"the older output"


class Sandbox:
    """A folder in which a command does everything: its outputs, its temporary files, its cache."""

    def __init__(self, folder):
        self.work, self.temporary, self.cache = (folder / name for name in ("work", "tmp", "cache"))
        for path in (self.work, self.temporary, self.cache):
            path.mkdir()

    def start(self, *arguments):
        environment = {**os.environ, "TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(self.cache)}
        command = [*MOBILE_SR, *map(str, arguments)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def unfinished(self):
        """Hidden scratch files and their sizes: what must not be left."""
        found = [*self.work.rglob(".mobile-sr-*"), *self.cache.rglob(".mobile-sr-*"), *self.temporary.rglob("*")]
        return {path: path.stat().st_size for path in found if path.exists()}

    def stop_after(self, process, changes, number):
        """Sends the signal after the scratch files have changed so many times; False if the command ended before."""
        before = None
        while changes:
            try:
                process.wait(0.01)
                return False
            except subprocess.TimeoutExpired:
                now = self.unfinished()
            if now and now != before:
                before, changes = now, changes - 1
        process.send_signal(number)
        return True

    def check_stopped(self, process, number):
        _, said = process.communicate(timeout=120)
        assert process.returncode == SIGNALS[number], said
        *progress, last = said.strip().splitlines()
        assert last == "mobile-sr: stopped: nothing unfinished is left behind"
        assert all(line.startswith(("mobile-sr: training: ", "mobile-sr: step ")) for line in progress), said
        assert not self.unfinished()


@pytest.fixture
def sandbox(tmp_path):
    return Sandbox(tmp_path)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_upscale_of_a_photo(sandbox, number, suffix, seed):
    photo = save_pillow(sandbox.work / "a.png", smooth(800, 1000))
    target = sandbox.work / f"out{suffix}"
    target.write_bytes(OLD)
    process = sandbox.start("upscale", photo, target, "--overwrite", "--tile", 48, "--halo", 8, "--threads", 1)
    assert sandbox.stop_after(process, seed.randint(1, 3), number)
    sandbox.check_stopped(process, number)
    assert target.read_bytes() == OLD and sorted(os.listdir(sandbox.work)) == sorted(["a.png", target.name])


@pytest.mark.parametrize("number", SIGNALS)
def test_upscale_of_a_folder(sandbox, number, seed):
    """Photos that were finished before stay and are whole; the one at work is not there."""
    (sandbox.work / "in").mkdir()
    for name in "abcd":
        save_pillow(sandbox.work / "in" / f"{name}.png", smooth(450, 600))
    process = sandbox.start("upscale", sandbox.work / "in", sandbox.work / "out", "--tile", 32, "--halo", 8, "--threads", 1)
    assert sandbox.stop_after(process, seed.randint(2, 6), number)
    sandbox.check_stopped(process, number)
    from PIL import Image

    made = list((sandbox.work / "out").glob("*"))
    assert len(made) < 4
    for path in made:
        with Image.open(path) as image:
            image.load()
            assert image.size == (2400, 1800)


def tiny_keras(folder):
    from keras_models.lkdn import LKDN

    path = folder / "tiny.keras"
    LKDN(2, 4, 2, 1).save(path)
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_convert(sandbox, tmp_path, number, seed):
    target = sandbox.work / "out.tflite"
    target.write_bytes(OLD)
    process = sandbox.start("convert", tiny_keras(tmp_path), "-o", target, "--tile", "16x16")
    assert sandbox.stop_after(process, seed.randint(1, 3), number)
    sandbox.check_stopped(process, number)
    assert target.read_bytes() == OLD and os.listdir(sandbox.work) == ["out.tflite"]


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_conversion_behind_upscale(sandbox, number, reference, seed):
    """`upscale` with a checkpoint converts it in a process of its own, into the cache: that one is stopped as well."""
    photo = save_pillow(sandbox.work / "a.png", smooth(20, 20))
    process = sandbox.start("upscale", photo, "--model", reference / "LKDN-S_x4.pth")
    assert sandbox.stop_after(process, seed.randint(1, 3), number)
    sandbox.check_stopped(process, number)
    assert os.listdir(sandbox.work) == ["a.png"] and not list(sandbox.cache.rglob("*.tflite"))


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_train(sandbox, number, seed):
    """What a stopped run has written can be read; that it goes on bit for bit is shown in test_training."""
    from keras_models.training.run_folder import RunFiles

    data, run = make_photos(sandbox.work / "photos"), sandbox.work / "run"
    sizes = ("--steps", 100_000, "--batch", 1, "--patch", 8, "--interval", 1, "--form", "deploy")
    process = sandbox.start("train", "lkdn-s-x2", "--data", data, "--out", run, *sizes)
    while not (run / "last.npz").exists():
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    assert sandbox.stop_after(process, seed.randint(1, 6), number)
    sandbox.check_stopped(process, number)
    assert RunFiles(run).read().step >= 0


@pytest.fixture
def seed():
    """A generator that differs from run to run; pytest shows its seed where a test fails."""
    number = random.randrange(10**6)
    sys.stdout.write(f"seed {number}\n")
    return random.Random(number)


def test_a_signal_between_any_two_lines_leaves_nothing(tmp_path):
    """The exception is raised at every line of `atomic_output` in turn; what its own clean-up misses goes at the process's end."""
    program = f"""
import json, os, sys
from pathlib import Path
from keras_models.system import atomic_files
from conversion.commands.signals import Stopped
target = Path(sys.argv[1])

def write(stop):
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename != atomic_files.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == stop:
                raise Stopped("here")
        return trace
    sys.settrace(trace)
    try:
        with atomic_files.atomic_output(target) as scratch:
            scratch.write_bytes(b"new")
    except Stopped:
        sys.settrace(None)
        sys.exit(130)
    sys.settrace(None)
    sys.exit(0)

ends = []
for line in range(1, 120):
    target.write_bytes({OLD!r})
    child = os.fork()
    if child == 0:
        write(line)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ends.append([status, os.listdir(target.parent), target.read_bytes() == {OLD!r}])
    if status == 0:
        break
print(json.dumps(ends))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "out.bin")]
    ends = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert all(names == ["out.bin"] for _, names, _ in ends), ends
    assert (tmp_path / "out.bin").read_bytes() == b"new"
    statuses, old = [status for status, _, _ in ends], [kept for _, _, kept in ends]
    assert statuses[-1] == 0 and len(statuses) > 10 and set(statuses[:-1]) == {130}
    assert old[0] and not old[-1]


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", "size=256k") as folder:
        yield folder


@pytest.fixture
def read_only(tmp_path):
    with mounted(tmp_path / "disk", "ro,size=64k") as folder:
        yield folder


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_full_disk(small_disk, tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)  # as WebP too more than the disk holds
    source, target = save_pillow(tmp_path / "a.png", noise), small_disk / f"out{suffix}"
    target.write_bytes(OLD)
    with pytest.raises(OutputError, match="cannot be written") as caught:
        upscale_file(source, target, FakeEngine(nearest), UpscaleOptions(overwrite=True))
    assert "\n" not in str(caught.value) and "make room" in str(caught.value)
    assert target.read_bytes() == OLD and os.listdir(small_disk) == [target.name]


def test_a_full_disk_for_other_outputs(small_disk):
    from keras_models.training.run_folder import Checkpoint, RunFiles

    files = RunFiles(small_disk)
    files.write(Checkpoint(1, [np.zeros(10)], {}))
    with pytest.raises(OutputError, match="cannot be written"):
        files.write(Checkpoint(2, [np.random.default_rng(0).random(100_000)], {}))
    assert files.read().step == 1 and os.listdir(small_disk) == ["last.npz"]


def test_a_folder_that_cannot_be_written(read_only, tmp_path):
    source = save_pillow(tmp_path / "a.png", smooth(20, 20))
    with pytest.raises(OutputError, match="cannot be written .Read-only"), atomic_output(read_only / "x.json"):
        pass
    one_line_error(run("upscale", source, read_only / "out.png"))
    assert os.listdir(read_only) == []


def test_no_room_for_temporary_files_is_one_line(small_disk, tmp_path):
    """The system's own temporary folder is full: no output is at fault, and still it is one line."""
    (small_disk / "filler").write_bytes(bytes(1 << 20)[: (256 << 10) - 8192])
    source = save_pillow(tmp_path / "a.png", smooth(200, 200))
    one_line_error(run("upscale", source, small_disk / "out.png", env={**os.environ, "TMPDIR": str(small_disk)}))
    assert [path.name for path in Path(small_disk).iterdir()] == ["filler"]


def test_the_last_word_is_heard_while_a_library_is_silenced():
    """By another thread, or by a block that the signal's exception kept from ending."""
    program = (
        "import sys\n"
        "from conversion.commands import main\n"
        "from keras_models.system.quiet import silenced\n"
        "blocks = [silenced(), silenced(1, 2)]\n"
        "for block in blocks:\n"
        "    block.__enter__()\n"
        "sys.exit(main._say_stopped())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "mobile-sr: stopped: nothing unfinished is left behind\n")
