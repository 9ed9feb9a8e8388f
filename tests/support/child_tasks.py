"""What the children of test_processes.py do; `alive` is a FIFO that is open for writing while they live."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from keras_models.system import errors
from keras_models.system.processes import Task, call, serve, stream
from keras_models.system.sandbox import isolated


class OddImage(errors.ImageError):
    """A kind of error that only a child knows."""


def echo(value):
    return value


def count(number):
    for index in range(number):
        sys.stdout.write("chatter\n")
        yield index


def total(start):
    """Answers bytes with their sum, and numbers with the sum of all numbers so far."""
    asked = yield start
    while True:
        if isinstance(asked, bytes):
            asked = yield bytes([sum(asked) % 256]) * len(asked)
        else:
            start += asked
            asked = yield start


def surroundings():
    return [os.getcwd(), os.environ.get("COLOUR")]


def refuse():
    raise OddImage("one\nline")


def stumble():
    return {}["missing"]


def leave(status):
    sys.stderr.write("nothing of note\nERROR: a reason\nbye\n")
    sys.exit(status)


def die(number):
    os.kill(os.getpid(), number)


def flood(megabytes):
    for _ in range(megabytes):
        for descriptor in (1, 2):
            os.write(descriptor, b"x" * ((1 << 20) - 1) + b"\n")
    return "dry"


def need_memory():
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    return len(bytes(3 << 30))


def babble():
    """Writes into whatever is open, where the answers go too."""
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"no answer\n")
        except OSError:
            continue
    return "fine"


def take(megabytes):
    return len(bytes(megabytes << 20))


def burn():
    while True:
        pass


def hang(alive):
    with open(alive, "wb", buffering=0) as held:
        held.write(b"x")
        time.sleep(1000)


def hang_in_c(alive):
    """Without letting go of Python, so that no other thread of it runs either."""
    with open(alive, "wb", buffering=0) as held:
        held.write(b"x")
        ctypes.PyDLL(None).sleep(1000)


def hang_deaf(alive):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(alive)


def hang_and_clean(alive, scratch):
    with open(alive, "wb", buffering=0):  # until all is clean
        Path(scratch).touch()
        try:
            hang(alive)
        finally:
            Path(scratch).unlink()


def hang_with_a_child(alive):
    with open(alive, "wb", buffering=0) as held:
        subprocess.Popen(["sleep", "1000"], stdout=held)
        held.write(b"x")
    time.sleep(1000)


def hang_after_an_answer(alive):
    yield "first"
    hang(alive)


def hang_when_asked(alive):
    yield "first"
    hang(alive)


def hang_in_the_sandbox(alive):
    isolated("support.child_tasks:hang", [alive], errors.ModelError)


def parent(shape, function, *arguments):
    """A process with a child, for tests that end it; shape "leave" goes while its child still waits."""
    task = Task(f"support.child_tasks:{function}", arguments, 600, errors.ModelError)
    if shape == "fork":
        isolated(task.function, arguments, errors.ModelError, needed_here=True)
    elif shape == "call":
        call(task)
    elif shape == "stream":
        with stream(task) as child:
            list(child)
    else:
        child = serve(task)
        child.answer()
        if shape == "serve":
            child.ask("now")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    parent(*sys.argv[1:])
