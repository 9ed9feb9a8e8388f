"""Child processes: what they answer, how they fail, and that none is left, however its parent ends."""

import io
import json
import os
import random
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keras_models.system import processes
from keras_models.system.errors import ImageError, ModelError
from keras_models.system.processes import (
    Task,
    call,
    ending,
    last_words,
    read_message,
    serve,
    stream,
    write_message,
)

TESTS = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def task(function, *arguments, limit_s=120.0, **more):
    return Task(f"support.child_tasks:{function}", arguments, limit_s, ModelError, **more)


class Alive:
    """A FIFO that processes hold open while they live."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path, self._end = str(path), os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait(self, seconds=60):
        """b"x" when one has begun, b"" when the last one is gone."""
        assert select.select([self._end], [], [], seconds)[0], "it lives on"
        return os.read(self._end, 1)


@pytest.fixture
def alive(tmp_path):
    return Alive(tmp_path / "alive")


def test_the_three_shapes():
    value = {"text": "ä\n\u2028", "numbers": [1, -2.5e300, None, True], "nested": {"": []}}
    assert call(task("echo", value)) == value
    assert call(task("echo", None)) is None
    with stream(task("count", 5)) as child:
        assert list(child) == [0, 1, 2, 3, 4]
    with serve(task("total", 10)) as child:
        assert child.answer() == 10
        assert [child.ask(5), child.ask(-1)] == [15, 14]
        many = bytes(range(256)) * 4096
        assert child.ask(many) == bytes([sum(many) % 256]) * len(many)
        assert child.ask(1) == 15


def test_many_at_a_time_from_threads():
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda value: call(task("echo", value)), range(8))) == list(range(8))


def test_folder_and_environment(tmp_path):
    assert call(task("surroundings", folder=tmp_path, environment={"COLOUR": "red"})) == [
        str(tmp_path),
        "red",
    ]
    assert call(task("surroundings")) == [os.getcwd(), None]


def test_a_stream_that_is_left_early_has_no_child(alive):
    with stream(task("hang_after_an_answer", alive.path)) as child:
        assert next(iter(child)) == "first" and alive.wait() == b"x"
    assert alive.wait() == b"" and child.process.returncode is not None


def test_refusals_keep_their_kind():
    with pytest.raises(ImageError, match="one line") as caught:
        call(task("refuse"))
    assert type(caught.value) is ImageError


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("stumble", (), "KeyError: 'missing'"),
        ("leave", (3,), r"crashed \(status 3\): ERROR: a reason$"),
        ("leave", (0,), "ended without an answer"),
        ("die", (signal.SIGSEGV,), r"crashed \(signal 11, SIGSEGV\)"),
        ("die", (signal.SIGKILL,), "killed .signal 9., as the system does when memory runs out"),
        ("need_memory", (), "ran out of memory"),
        ("babble", (), "answers with what is no answer"),
        ("nowhere", (), "AttributeError: .*nowhere"),
        ("echo", ("too", "many"), "TypeError: "),
    ],
)
def test_how_a_child_fails(function, arguments, words):
    with pytest.raises(ModelError, match=words) as caught:
        call(task(function, *arguments))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_process_that_does_not_start(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ModelError, match="cannot be started .No such file"):
        call(task("echo", 1))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelError, match="crashed .status 1"):
        call(task("echo", 1))


def test_floods_of_chatter_hold_nothing_up():
    with stream(task("flood", 100)) as child:
        assert child.answer() == "dry"
    assert len(child._chatter) <= processes._KEPT


@pytest.mark.parametrize("function", ["hang", "hang_in_c", "hang_deaf", "hang_with_a_child"])
def test_a_hang_ends_at_the_limit(function, alive, monkeypatch):
    """Also one that hears no signal, and one that has a child of its own."""
    monkeypatch.setattr(processes, "PATIENCE_S", 0.1)
    child = stream(task(function, alive.path, limit_s=0.1))
    assert alive.wait() == b"x"
    with pytest.raises(ModelError, match="did not answer within 0.1 s"):
        child.answer()
    assert alive.wait() == b""


def test_a_server_that_hangs_or_does_not_read_ends_at_the_limit(alive):
    child = serve(task("hang_when_asked", alive.path))
    assert child.answer() == "first"
    with pytest.raises(ModelError, match="did not answer within 0.1 s"):
        child.ask("now", limit_s=0.1)
    child = serve(task("total", 0))
    child.answer()
    child.process.send_signal(signal.SIGSTOP)
    with pytest.raises(ModelError, match="did not answer within 0.1 s"):
        child.ask(bytes(10 << 20), limit_s=0.1)
    assert child.process.returncode is not None


def test_an_ended_child_has_cleaned_up(alive, tmp_path):
    scratch = tmp_path / "scratch"
    with stream(task("hang_and_clean", alive.path, str(scratch))):
        assert alive.wait() == b"x" and scratch.exists()
    assert not scratch.exists()


CASES = [
    ("fork", "hang"),
    ("call", "hang"),
    ("call", "hang_with_a_child"),
    ("call", "hang_in_the_sandbox"),
    ("stream", "hang_after_an_answer"),
    ("serve", "hang_when_asked"),
]


def start_parent(*arguments):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    command = [sys.executable, "-m", "support.child_tasks", *map(str, arguments)]
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, env=environment, **options)


@pytest.mark.parametrize(("shape", "function"), CASES)
def test_a_killed_parent_leaves_no_orphan(shape, function, alive):
    with start_parent(shape, function, alive.path) as parent:
        assert alive.wait() == b"x"
        parent.kill()
    assert alive.wait() == b""


def test_a_killed_parent_lets_its_child_clean_up(alive, tmp_path):
    with start_parent("call", "hang_and_clean", alive.path, tmp_path / "scratch") as parent:
        assert alive.wait() == b"x" and (tmp_path / "scratch").exists()
        parent.kill()
    assert alive.wait() == b"" and not (tmp_path / "scratch").exists()


@pytest.mark.slow
def test_an_orphan_in_which_python_does_not_run_ends_by_itself(alive):
    """It cannot see that its parent is gone: a watch of C ends it, a while after its limit."""
    task = f"Task('support.child_tasks:hang_in_c', [{alive.path!r}], 1, ValueError)"
    program = f"from keras_models.system.processes import *\ncall({task})"
    with subprocess.Popen([sys.executable, "-c", program], cwd=TESTS.parent) as parent:
        assert alive.wait() == b"x"
        parent.kill()
    assert alive.wait(120) == b""


@pytest.mark.parametrize(("shape", "function"), CASES)
def test_ctrl_c_ends_parent_and_child(shape, function, alive):
    with start_parent(shape, function, alive.path) as parent:
        assert alive.wait() == b"x"
        os.killpg(parent.pid, signal.SIGINT)
        said = parent.stderr.read()
    assert parent.returncode == -signal.SIGINT and said.rstrip().endswith("KeyboardInterrupt")
    assert alive.wait() == b""


def test_a_parent_may_leave_without_a_word(alive):
    """As one does whose sandbox still waits for files."""
    with start_parent("leave", "hang_after_an_answer", alive.path) as parent:
        assert parent.stderr.read() == ""
    assert parent.returncode == 0


def test_messages_survive_and_parts_of_them_do_not():
    chance = random.Random(0)
    for _ in range(200):
        data = chance.randbytes(chance.randrange(50))
        said = chance.choice([None, chance.random(), "\n{}", [1, {"a": "ü"}], data])
        pipe = io.BytesIO()
        write_message(pipe, {"said": said, "limit_s": 1.5})
        whole = pipe.getvalue()
        found = read_message(io.BytesIO(whole + b"rest"))
        assert (found["said"], found["limit_s"]) == (said, 1.5)
        for length in range(1, len(whole)):
            if whole[length:] != b"\n":  # the line is whole without its end
                with pytest.raises(ValueError):
                    read_message(io.BytesIO(whole[:length]))
    assert read_message(io.BytesIO()) is None
    with pytest.raises(ValueError, match="no message"):
        read_message(io.BytesIO(b"7\n"))


def test_words():
    assert ending(-11) == "it crashed (signal 11, SIGSEGV)"
    assert ending(-99) == "it crashed (signal 99, unknown)"
    assert ending(7) == "it crashed (status 7)"
    assert last_words("a\nAn Error: x\n\x1b[2Jb\n\n") == "An Error: x"
    assert last_words("a\n\x1b[2J b\n\n") == "[2J b"
    assert last_words("Failed\nWARNING: error\nI0000 x\n") == "Failed"
    assert last_words("") == "" and last_words("y" * 1000) == "y" * 200


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can tell whether it is alone")
@pytest.mark.parametrize("alone", [True, False])
def test_a_process_that_is_alone_is_its_own_helper(alone):
    """What becomes of a file is the same either way, and what a library says of its death is not heard."""
    program = f"""
import json, sys, threading
from keras_models.system import sandbox
from keras_models.system.errors import MobileSRError, ModelError
threading.Thread(target=threading.Event().wait, daemon=True).start() if not {alone} else None

def became(function, *arguments):
    try:
        limits = sandbox.Limits(1.0, 256 << 20)
        return sandbox.isolated("support.child_tasks:" + function, arguments, ModelError, limits, needed_here=True)
    except MobileSRError as error:
        return type(error).__name__ + ": " + str(error)

cases = (("echo", 3), ("refuse",), ("stumble",), ("die", 11), ("burn",), ("take", 1024), ("flood", 1), ("echo", 4))
print(json.dumps([[became(*case) for case in cases], len(sandbox._helpers)]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=TESTS.parent, capture_output=True, text=True, check=True)
    said, helpers = json.loads(done.stdout)
    assert said == [
        3,
        "ImageError: one line",
        "ModelError: KeyError: 'missing'",
        "ModelError: it crashed (signal 11, SIGSEGV)",
        "ModelError: it took over 1 s",
        "ModelError: it needs more memory than a file may",
        "dry",
        4,
    ]
    assert (helpers == 0) == alone and done.stderr == ""
