"""A listing of photos over two worker processes, one of which is killed: nothing is lost, and what failed is named."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.command_line import MOBILE_SR

COMMAND = [*MOBILE_SR, "upscale-many"]
PHOTOS = 24
PART = ("--part-bytes", "24")  # two photos
# A photo on which a worker ends without a word, as one that runs out of memory does.
PRELOAD = """
import os
from conversion.upscaling import pipeline as upscale

def upscale_file(source, *others, real=upscale.upscale_file):
    if "poison" in source.name:
        os._exit(9)
    real(source, *others)

upscale.upscale_file = upscale_file
"""


@contextlib.contextmanager
def cluster(folder, *flags, **settings):
    """A scheduler and two worker processes, as two machines would have them: (address, [scheduler, worker, worker])."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **settings}
    dask = [sys.executable, "-m", "dask"]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder), *flags]
    commands = [[*dask, "scheduler", "--host", address, "--no-dashboard"], worker, worker]
    with contextlib.ExitStack() as stack:
        running = []
        for number, command in enumerate(commands):
            log = stack.enter_context((folder / f"{number}.log").open("w"))
            running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True))
        try:
            yield address, running
        finally:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # a worker's nanny and its children too
                process.wait()


def start(folder, address):
    places = [str(folder / name) for name in ("listing.txt", "in", "out")]
    command = [*COMMAND, *places, "--scheduler", address, "--failures", str(folder / "failed.jsonl"), *PART]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def parts_to_go(process):
    """Reads the progress until a part is finished."""
    for line in process.stderr:
        if line.endswith(" parts to go\n"):
            return int(line.split()[0])
    raise AssertionError("it ended before a part was finished")


def failed(folder):
    return {row["photo"]: row["reason"] for row in map(json.loads, (folder / "failed.jsonl").read_text().splitlines())}


def outputs(folder):
    out = folder / "out"
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*.png") if not path.name.startswith(".")}


def counts(result):
    """Upscaled and skipped together, and failed: a part that died after its photos were done finds them there when it comes again."""
    words = result.splitlines()[-1].split()
    return int(words[1]) + int(words[3]), int(words[5])


@pytest.fixture
def folder(tmp_path):
    names = [f"a/photo{i:02}.png" if i % 2 else f"photo{i:02}.png" for i in range(PHOTOS)]
    (tmp_path / "in/a").mkdir(parents=True)
    for i, name in enumerate(names):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (60, 80, 3), np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in/broken.png").write_text("not a photo")
    (tmp_path / "listing.txt").write_text("".join(f"{name}\n" for name in ["broken.png", *names, "gone.png"]))
    return tmp_path


def test_a_killed_worker_loses_nothing(folder):
    with cluster(folder, "--no-nanny") as (address, (_, *workers)):
        run = start(folder, address)
        assert parts_to_go(run) > 4
        workers[0].send_signal(signal.SIGKILL)
        result, errors = run.communicate(timeout=300)
        assert workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
        assert run.returncode == 2, errors
        assert counts(result) == (PHOTOS, 2), result + errors
        first = outputs(folder)
        assert len(first) == PHOTOS and "a/photo01.png.png" in first
        with Image.open(folder / "out/a/photo01.png.png") as image:
            image.load()
            assert image.size == (320, 240)
        reasons = failed(folder)
        assert reasons.keys() == {"broken.png", "gone.png"}
        assert "not an image" in reasons["broken.png"] and "no such" in reasons["gone.png"]

        again = start(folder, address)
        result, errors = again.communicate(timeout=300)
        assert result.splitlines()[-1].endswith(f" 0 upscaled, {PHOTOS} skipped, 2 failed"), result + errors
        assert outputs(folder) == first


@pytest.mark.slow
def test_only_the_photo_that_kills_its_worker_fails(folder):
    """Without a second chance for a part (Dask gives three), and with Dask's nannies, which start a worker again."""
    (folder / "preload.py").write_text(PRELOAD)
    shutil.copy(folder / "in/photo00.png", folder / "in/poison.png")
    (folder / "listing.txt").write_text("photo00.png\npoison.png\nphoto02.png\nphoto04.png\n")
    with cluster(folder, "--preload", str(folder / "preload.py"), DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as (address, _):
        run = start(folder, address)
        result, errors = run.communicate(timeout=500)
    assert run.returncode == 2 and outputs(folder).keys() == {"photo00.png.png", "photo02.png.png", "photo04.png.png"}, result + errors
    assert failed(folder).keys() == {"poison.png"} and "worker broke down" in failed(folder)["poison.png"]


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line(folder):
    with cluster(folder, "--no-nanny") as (address, (scheduler, *_)):
        run = start(folder, address)
        assert parts_to_go(run) > 4
        scheduler.kill()
        _, errors = run.communicate(timeout=300)
    words = [line for line in errors.splitlines() if not line.endswith(" parts to go")]
    assert run.returncode == 2 and words == ["mobile-sr: the scheduler is gone: start it and its workers, then the same command again"]


@pytest.mark.parametrize("flags", [("--suffix", ".gif"), ("--model", "edsr-x9")])
def test_mistakes_are_one_line(folder, flags):
    command = [*COMMAND, str(folder / "listing.txt"), str(folder / "in"), str(folder / "out"), *flags]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 2 and len(run.stderr.splitlines()) == 1 and not (folder / "out").exists(), run.stderr
