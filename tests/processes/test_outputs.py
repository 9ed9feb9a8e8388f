"""Outputs that are no plain files, what a killed run leaves, and photos that would start a foreign
program.
"""

import json
import os
import signal
import stat
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image
from support.command_line import MOBILE_SR, run
from support.photos import noise, save_pillow, smooth

from keras_models.system import atomic_files
from keras_models.system.atomic_files import atomic_output, remove_leftovers, scratch_file
from keras_models.system.errors import OutputError


def write(target, content=b"new"):
    with atomic_output(target) as part:
        part.write_bytes(content)


@pytest.fixture
def null(tmp_path):
    """A device node of our own, so that a failing test does not cost the machine its /dev/null."""
    try:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs the right to make a device node")
    return tmp_path / "null"


def test_a_device_node_stays_one(null, tmp_path):
    write(null)
    assert stat.S_ISCHR(null.stat().st_mode) and os.listdir(tmp_path) == ["null"]
    os.symlink("null", tmp_path / "link")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and stat.S_ISCHR(null.stat().st_mode)


def test_a_full_device_is_one_line(tmp_path):
    try:
        os.mknod(tmp_path / "full", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    except PermissionError:
        pytest.skip("needs the right to make a device node")
    with pytest.raises(OutputError, match="full: cannot be written .No space left"):
        write(tmp_path / "full")
    assert stat.S_ISCHR((tmp_path / "full").stat().st_mode)


def test_the_reader_of_a_pipe_gets_everything(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.png").read_bytes()))
    reader.start()
    write(tmp_path / "pipe.png", b"x" * 200_000)
    reader.join(30)
    assert got == [b"x" * 200_000] and stat.S_ISFIFO((tmp_path / "pipe.png").stat().st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_kept_and_its_file_replaced(tmp_path, there):
    (tmp_path / "disk").mkdir()
    if there:
        (tmp_path / "disk" / "real.bin").write_bytes(b"old")
    os.symlink("disk/real.bin", tmp_path / "link.bin")
    write(tmp_path / "link.bin")
    assert (tmp_path / "link.bin").is_symlink() and (tmp_path / "disk" / "real.bin").read_bytes() == b"new"
    with pytest.raises(ZeroDivisionError), atomic_output(tmp_path / "link.bin"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path / "disk") == ["real.bin"] and (tmp_path / "link.bin").read_bytes() == b"new"


def test_a_folder_or_a_circle_of_links_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path)
    os.symlink("b", tmp_path / "a")
    os.symlink("a", tmp_path / "b")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "a" / "x.bin")


def test_commands_leave_device_nodes(null, tmp_path, tiny_model):
    """As root, in every container: a result to /dev/null must not replace it."""
    source, model = save_pillow(tmp_path / "a.png", noise()), tiny_model("nearest")
    assert run("inspect", model, "--json", null).returncode == 0
    assert run("benchmark", model, "--runs", 1, "--csv", null, "--json", null).returncode == 0
    assert run("upscale", source, null, "--format", "webp", "--model", model).returncode == 0
    assert run("upscale", source, "-o", null, "--model", model).returncode == 0
    assert stat.S_ISCHR(null.stat().st_mode) and sorted(os.listdir(tmp_path)) == ["a.png", "null"]


def test_a_picture_through_pipes(tmp_path, tiny_model):
    save_pillow(tmp_path / "a.png", smooth(20, 30))
    command = [*MOBILE_SR, "upscale", "-", "--model", str(tiny_model("nearest"))]
    with (tmp_path / "a.png").open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    (tmp_path / "out.png").write_bytes(done.stdout)
    assert Image.open(tmp_path / "out.png").size == (60, 40) and done.stderr == b""
    shell = (
        f"cat {tmp_path}/a.png | {' '.join(command)} -o /dev/stdout --format jpeg | cat > {tmp_path}/out.jpg"
    )
    subprocess.run(shell, shell=True, check=True)
    assert Image.open(tmp_path / "out.jpg").size == (60, 40)


# --- leftovers


def leftovers(folder):
    return [name for name in os.listdir(folder) if name.startswith(".mobile-sr-")]


HOLD = """
import sys, time
from keras_models.system.atomic_files import atomic_output
with atomic_output(sys.argv[1]) as part:
    part.write_bytes(b"half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def hold(target):
    import sys

    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_cleared", set())
    killed, running = hold(tmp_path / "a.bin"), hold(tmp_path / "b.bin")
    killed.kill()
    killed.wait()
    (tmp_path / ".mobile-sr-old-0123456789ab.png").write_bytes(b"of a version that locked nothing")
    (tmp_path / ".mine").write_bytes(b"mine")
    assert len(leftovers(tmp_path)) == 3
    write(tmp_path / "c.bin")
    assert (
        len(leftovers(tmp_path)) == 1
        and (tmp_path / ".mine").exists()
        and (tmp_path / "c.bin").read_bytes() == b"new"
    )
    running.communicate(b"")
    assert (tmp_path / "b.bin").read_bytes() == b"half" and leftovers(tmp_path) == []


def test_an_output_under_way_in_this_process_is_not_a_leftover(tmp_path):
    with scratch_file(tmp_path / "a.bin") as scratch:
        remove_leftovers(tmp_path)
        assert scratch.exists()


def test_a_folder_that_was_killed_is_clean_after_the_next_run(tmp_path, tiny_model):
    """kill -9 in the middle of a photo; the next run finishes the folder and leaves nothing of the first."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(2):
        save_pillow(source / f"{number}.png", np.tile(noise(200, 200, seed=number), (8, 8, 1)))
    command = [
        *MOBILE_SR,
        "upscale",
        str(source),
        str(out),
        "--model",
        str(tiny_model("nearest")),
        "--tile",
        "32",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (out.is_dir() and leftovers(out)):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert leftovers(out), "the control: the kill came in the middle"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert sorted(os.listdir(out)) == ["0.png", "1.png"]


# --- foreign programs, and what is asked of benchmark and evaluate


def test_no_command_starts_ghostscript(tmp_path, tiny_model):
    tools, data = tmp_path / "tools", tmp_path / "data"
    tools.mkdir()
    data.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tools / "gs").chmod(0o755)
    (data / "eps.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
    )
    save_pillow(data / "good.png", noise(64, 64))
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = run("evaluate", tiny_model("nearest"), "--data", data, env=environment)
    assert (
        done.returncode == 2
        and "left out  " in done.stdout
        and "eps.png: PostScript data" in done.stdout
        and "good " in done.stdout
    )
    done = run("upscale", data, tmp_path / "out", "--model", tiny_model("nearest"), env=environment)
    assert (
        done.returncode == 2
        and "eps.png: PostScript data" in done.stderr
        and os.listdir(tmp_path / "out") == ["good.png"]
    )
    assert not (tmp_path / "started").exists()


def test_evaluate_names_the_photo_that_is_too_small_and_goes_on(tmp_path, tiny_model):
    save_pillow(tmp_path / "good.png", noise(64, 64))
    for name, size in (("tiny.png", 1), ("small.png", 14)):
        save_pillow(tmp_path / name, noise(size, size))
    done = run("evaluate", tiny_model("nearest"), "--data", tmp_path, "--json", "-")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert (
        list(result["images"]) == ["good"]
        and result["mean"] == result["images"]["good"]
        and result["failed"] == []
    )
    assert [line.partition(": ")[0].rpartition("/")[2] for line in result["too_small"]] == [
        "small.png",
        "tiny.png",
    ]
    assert (
        len(done.stderr.splitlines()) == 2
        and "small.png: 14x14 pixels: scores at x2 take 15x15 or more" in done.stderr
    )
    (tmp_path / "good.png").unlink()
    done = run("evaluate", tiny_model("nearest"), "--data", tmp_path)
    assert done.returncode == 2 and "none of 2 photos has scores, the first: " in done.stderr


def test_benchmark_of_a_free_size_asks_for_a_tile(tiny_model, tmp_path):
    done = run("benchmark", tiny_model("free_size"), "--runs", 1)
    assert (
        done.returncode == 2
        and "takes pictures of any size" in done.stderr
        and "--tiles 128x128" in done.stderr
    )
    done = run("benchmark", tiny_model("free_size"), "--runs", 1, "--tiles", "24x16", "--threads", "1,100000")
    assert (
        done.returncode == 0 and "24x16" in done.stdout and "100000" in done.stderr and "used" in done.stderr
    )
    (tmp_path / "benchmark_model").write_text("")
    done = run(
        "benchmark",
        tiny_model("free_size"),
        "--adb",
        "--binary",
        tmp_path / "benchmark_model",
        "--adb-program",
        "false",
    )
    assert done.returncode == 2 and "benchmark_model would run it at 1x1" in done.stderr
