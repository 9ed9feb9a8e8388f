"""onnxruntime asks the network for its maker's server, and leaves a database, unless it is told not to before it is imported."""

import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image
from support.command_line import MOBILE_SR

RUN_IT = """
import onnxruntime, sys
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


@pytest.fixture(scope="module")
def doubling(tmp_path_factory):
    """An .onnx that doubles an image's sides."""
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 3, "h", "w"))
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 3, "h2", "w2"))
    scales = helper.make_tensor("scales", onnx.TensorProto.FLOAT, [4], [1, 1, 2, 2])
    node = helper.make_node("Resize", ["image", "", "scales"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric")
    graph = helper.make_graph([node], "doubling", [image], [result], [scales])
    path = tmp_path_factory.mktemp("onnx") / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A user's folders, empty; what lies in them afterwards was left there.

    And a user's environment: onnxruntime is quiet by itself where a variable such as CI or GITHUB_ACTIONS names a build machine.
    """
    for name in set(os.environ) - {"PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH"}:
        monkeypatch.delenv(name)
    for name, folder in (("HOME", "home"), ("XDG_CACHE_HOME", "home/cache"), ("TMPDIR", "home/tmp")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    return lambda: {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()}


def traced(log, *command):
    """Runs a command and all its children under strace, if it is there; the lines about the network and about files."""
    what = ["-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg,openat"]
    tracer = ["strace", *what, "-o", str(log)] if shutil.which("strace") else []
    subprocess.run([*tracer, *map(str, command)], check=True, capture_output=True, env=os.environ, timeout=600)
    return log.read_text(errors="replace").splitlines() if tracer else []


def about_others(lines):
    return [line for line in lines if "AF_INET" in line or "resolv.conf" in line or "events.data" in line or "onnxruntime.db" in line]


def test_control_left_alone_it_leaves_a_database(at_home, doubling, tmp_path):
    lines = traced(tmp_path / "log", sys.executable, "-c", RUN_IT, doubling)
    assert "onnxruntime.db" in at_home()
    assert not lines or about_others(lines), "the trace does not see it"


def test_any_part_of_conversion_tells_it_not_to(at_home, doubling, tmp_path):
    assert not about_others(traced(tmp_path / "log", sys.executable, "-c", "import conversion.source" + RUN_IT, doubling))
    assert not at_home()


def test_a_command_with_all_its_processes(at_home, doubling, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)).save(tmp_path / "photos/a.png")
    lines = traced(tmp_path / "log", *MOBILE_SR, "evaluate", doubling, "--data", tmp_path / "photos")
    assert not about_others(lines)
    assert not at_home() & {"onnxruntime.db", "deviceid", ".ses"}


@pytest.mark.slow
def test_a_conversion_with_all_its_processes(at_home, tmp_path):
    """onnx2tf runs in a process of its own, and runs onnxruntime there."""
    subprocess.run([*MOBILE_SR, "convert", "lkdn-s", "-o", str(tmp_path / "a.onnx")], check=True, capture_output=True)
    lines = traced(tmp_path / "log", *MOBILE_SR, "convert", tmp_path / "a.onnx", "-o", tmp_path / "a.tflite")
    assert not about_others(lines)
    assert not at_home() & {"onnxruntime.db", "deviceid", ".ses"}
