"""Foreign files meet native libraries in a process of their own: a crash, a hang or a flood of memory there is one error here.

A helper process is started once and forks for every file, so that a file costs milliseconds and none can hurt the next.
Requests and answers are lines of JSON. Python never executes anything of the file; the libraries that read it are C++.
"""

import contextlib
import importlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_models.system import errors
from keras_models.system.errors import MobileSRError, one_line

_WAITING = 10
"""Seconds by the clock that a busy machine may need for one of the processor."""


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
        seconds: of the processor, until the process that reads it is killed; by the clock, ten times as many.
        memory: bytes on top of what the libraries themselves need; where the system does not tell (no /proc), there is no limit.
    """

    seconds: float = 60.0
    memory: int = 2 << 30


def isolated(task: str, arguments: Sequence[Any], failed: Callable[[str], MobileSRError], limits: Limits = Limits()) -> Any:  # noqa: B008
    """Calls a function in a process of its own.

    Args:
        task: "module:function"; the module is imported once, before the fork, and so is what its `PRELOADED` names.
        arguments: of the function, JSON-ready.
        failed: makes the error from what happened ("it crashed with signal 11").
        limits: time and memory.

    Returns:
        What the function returned, as JSON gives it back.

    Raises:
        MobileSRError: one that the function raised, or what `failed` makes if it crashed, hung, or raised anything else.
    """
    request = {"arguments": list(arguments), "seconds": limits.seconds, "memory": limits.memory}
    answer = _helper(task).ask(request)
    if "refused" in answer:
        raise getattr(errors, answer["kind"])(answer["refused"])
    if "failed" in answer:
        raise failed(answer["failed"])
    return answer["result"]


def python_module(name: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this project in a new process, whatever lies in the working folder.

    `python -m` alone would import a file called json.py that somebody left among the photos.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return [sys.executable, "-P", "-m", name], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class _Helper:
    """A process that waits for files of one task."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: dict) -> dict:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                command, environment = python_module(__name__)
                self._process = subprocess.Popen(
                    [*command, self._task],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for the command, which ends this process by closing its input
                )
            process = self._process
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:
                line = ""
            except BaseException:  # interrupted: the answer to come belongs to nobody
                self.close()
                raise
            if line:
                return json.loads(line)
            process.wait()
            self.close()
            return {"failed": f"it crashed ({_ending(process.returncode)})"}

    def close(self) -> None:
        if self._process is not None:
            if hasattr(os, "killpg"):
                with contextlib.suppress(OSError):
                    os.killpg(self._process.pid, 9)  # its children too: they may be writing where the caller cleans up
            self._process.kill()
            self._process.communicate()
            self._process = None


_helpers: dict[tuple[int, str], _Helper] = {}


def _helper(task: str) -> _Helper:
    return _helpers.setdefault((os.getpid(), task), _Helper(task))  # a fork must not share its parent's


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def main() -> None:
    """Serves the task that the command line names until standard input ends."""
    module, function = sys.argv[1].split(":")
    home = importlib.import_module(module)
    for name in getattr(home, "PRELOADED", ()):
        importlib.import_module(name)
    task = getattr(home, function)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    for line in sys.stdin:
        answers.write(json.dumps(_serve(task, json.loads(line))) + "\n")
        answers.flush()


def _serve(task: Callable[..., Any], request: dict) -> dict:
    if not hasattr(os, "fork"):  # Windows: the parent sees this process die and starts another
        return _call(task, request["arguments"])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with _limited(request["memory"], request["seconds"]):
            said = json.dumps(_call(task, request["arguments"])).encode()
        with os.fdopen(writing, "wb") as stream:
            stream.write(said)
        os._exit(0)
    os.close(writing)
    answer = _read(reading, time.monotonic() + _WAITING * request["seconds"])
    if answer is None:
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    if answer is None or ended == -signal.SIGXCPU:
        return {"failed": f"it took over {request['seconds']:g} s"}
    return json.loads(answer) if ended == 0 else {"failed": f"it crashed ({_ending(ended)})"}


def _call(task: Callable[..., Any], arguments: list) -> dict:
    try:
        return {"result": task(*arguments)}
    except MobileSRError as error:
        return {"refused": str(error), "kind": type(error).__name__}
    except MemoryError:
        return {"failed": "it needs more memory than a file may"}
    except Exception as error:  # whatever a library raises on a damaged file
        return {"failed": one_line(error)}


def _read(pipe: int, deadline: float) -> bytes | None:
    """All that comes until the other end is closed; None if that is too late."""
    parts: list[bytes] = []
    with os.fdopen(pipe, "rb", buffering=0) as stream:
        while select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = stream.read(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


@contextlib.contextmanager
def _limited(extra: int, seconds: float) -> Iterator[None]:
    """Limits this process for good; memory only inside of the block, so that an answer can be given when it was exceeded."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # Windows; no /proc
        yield
        return
    ceiling = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = used + extra
    resource.setrlimit(resource.RLIMIT_AS, (wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling), ceiling))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))


if __name__ == "__main__":
    main()
