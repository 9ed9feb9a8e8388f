"""Every main command in a namespace that has no network, with all its processes under strace: nothing asks for one.

Run with `pytest -m slow tests/processes/test_no_network.py -n 0`; it needs root, or user namespaces, for `unshare -n`, and strace.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import MOBILE_SR

NAMESPACE = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
CALLS = "connect,sendto,sendmsg,sendmmsg,openat"
ASKED = re.compile(r"AF_INET6?\b|resolv\.conf|onnxruntime\.db")
"""An address of the internet, the file that says who knows addresses, what onnxruntime keeps of its own reports."""
REACHES_OUT = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 2)\nexcept OSError: pass"


def _can_unshare():
    return shutil.which("strace") and subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not _can_unshare(), reason="needs strace and unshare -n")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's empty folders, with three photos; outputs of a command are the next one's inputs."""
    place = tmp_path_factory.mktemp("home")
    for folder in ("cache", "tmp", "photos"):
        (place / folder).mkdir()
    for number in range(3):
        samples = np.random.default_rng(number).integers(0, 256, (14, 12, 3), np.uint8)
        Image.fromarray(samples).resize((112, 96), Image.Resampling.BICUBIC).save(place / f"photos/{number}.png")
    (kept,) = [*(Path.home() / ".cache/mobile-sr").glob("litert-js-*")][:1] or [None]
    if kept is not None:
        shutil.copytree(kept, place / "cache/mobile-sr" / kept.name)
    return place


def asked_for(home, *words):
    """The lines of the trace that tell of a network; the command itself must succeed."""
    names = ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    kept |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home / "tmp")}
    log = home / "trace"
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS}", "-o", str(log)]
    done = subprocess.run(
        [*NAMESPACE, *tracer, *map(str, words)], capture_output=True, text=True, cwd=home, env=kept, timeout=1500, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    lines = log.read_text(errors="replace").splitlines()
    assert len(lines) > 50, "the trace saw next to nothing"
    return [line for line in lines if ASKED.search(line)]


def test_control_one_that_reaches_out_is_seen(home):
    assert asked_for(home, sys.executable, "-c", REACHES_OUT)


@pytest.mark.parametrize(
    "line",
    [
        "convert lkdn-s-x2 -o own.onnx",
        "convert own.onnx -o foreign.tflite --tile 32x32",
        "convert lkdn-s-x2 -o own.tflite --tile 32x32 --recipe float16 --calibration photos",
        "import own.safetensors -o own.keras",
        "verify foreign.tflite --against own.onnx",
        "inspect own.tflite",
        "upscale photos/0.png a.png --model lkdn-s-x2",
        "upscale photos/0.png b.png --model own.onnx",
        "upscale photos c --model own.keras",
        "evaluate own.onnx --data photos",
        "benchmark own.tflite --photo photos/0.png --runs 2",
        "benchmark own.onnx --tiles 32x32 --runs 2",
        "report lkdn-s-x2 --data photos -o report.html",
        "compare photos/0.png lkdn-s-x2 -o compare.html",
        "train lkdn-s-x2 --data photos --out run --steps 2 --batch 2 --patch 8 --warmup 1 --decay 0 --interval 2",
        "models",
        "page lkdn-s-x2 -o page.html",
    ],
)
def test_a_command(home, line):
    if line.startswith("page ") and not [*(home / "cache/mobile-sr").glob("litert-js-*")]:
        pytest.skip("the page's npm packages are not in the cache, and are fetched once")
    if line.startswith("import "):
        import keras_models

        shipped = Path(keras_models.__file__).parent / "weights"
        shutil.copy(shipped / "lkdn-s-x2.safetensors", home / "own.safetensors")
    assert asked_for(home, *MOBILE_SR, *line.split()) == []
