"""Foreign files meet native libraries in a process of their own: a crash, hang or flood is one error here.

A helper process is started once and forks for every file, so that a file costs milliseconds and none can hurt
the next; a process that is alone in itself may fork at once. Python never executes anything of the file; the
libraries that read it are C++.
"""

import contextlib
import importlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_models.system import errors
from keras_models.system.child import OUT_OF_MEMORY, function_named, outcome
from keras_models.system.errors import MobileSRError
from keras_models.system.forks import Fork, Say
from keras_models.system.messages import ending
from keras_models.system.processes import Child, Task, serve

_WAITING = 10
"""Seconds by the clock that a busy machine may need for one of the processor."""

_STARTING_S = 300.0
"""For a helper to import what reads the files, which takes seconds on a quiet machine."""


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
        seconds: of the processor, until the process that reads it is killed; by the clock, ten times as many.
        memory: bytes on top of what the libraries themselves need; no limit where no /proc tells that.
    """

    seconds: float = 60.0
    memory: int = 2 << 30


_THREADED = {"tensorflow", "onnxruntime", "jax", "torch"}
"""Libraries whose threads may hold a lock just then, for which a copy of the process would wait for ever."""


def _is_alone() -> bool:
    """Whether a copy of this process is safe: no thread but those of OpenBLAS, which stops them for a fork itself."""
    if sys.platform != "linux" or threading.active_count() > 1 or _THREADED & sys.modules.keys():
        return False
    return len(os.listdir("/proc/self/task")) <= (os.cpu_count() or 1)


def isolated(
    task: str,
    arguments: Sequence[Any],
    failed: Callable[[str], MobileSRError],
    limits: Limits = Limits(),  # noqa: B008
    needed_here: bool = False,
) -> Any:
    """Calls a function in a process of its own.

    Args:
        task: "module:function"; the module is imported once, before the fork, and what its `PRELOADED` names.
        arguments: of the function, JSON-ready.
        failed: makes the error from what happened ("it crashed with signal 11").
        limits: time and memory.
        needed_here: this process is going to import the same libraries. If it is alone in itself it does that first and is the helper;
            else it does that while the helper does.

    Returns:
        What the function returned, as JSON gives it back.

    Raises:
        MobileSRError: one that the function raised, or what `failed` makes of a crash, a hang, another error.
    """
    if needed_here and _alone_with(task):
        answer = _answer(function_named(task), list(arguments), limits.seconds, limits.memory)
    else:
        if needed_here:
            threading.Thread(target=_preload, args=(task,), daemon=True).start()
        answer = _helper(task).ask({"arguments": list(arguments), "seconds": limits.seconds, "memory": limits.memory})
    if "refused" in answer:
        raise getattr(errors, answer["kind"])(answer["refused"])
    if "failed" in answer:
        what = answer["failed"]
        raise failed("it needs more memory than a file may" if what == OUT_OF_MEMORY else what)
    return answer["said"]


def _alone_with(task: str) -> bool:
    if not _is_alone():
        return False
    _preload(task)
    return _is_alone()


class _Died(MobileSRError):
    """What became of a helper."""


class _Helper:
    """A process that waits for files of one task."""

    def __init__(self, task: str) -> None:
        self._task = Task(f"{__name__}:fork_for_each", [task], _STARTING_S, _Died)
        self._lock = threading.Lock()
        self.child: Child | None = None

    def ask(self, request: dict) -> dict:
        with self._lock:
            try:
                if self.child is None or self.child.process.poll() is not None:
                    self.child = serve(self._task)
                    self.child.answer()
                return self.child.ask(request, _WAITING * request["seconds"] + _STARTING_S)
            except _Died as error:
                return {"failed": str(error)}


_helpers: dict[tuple[int, str], _Helper] = {}


def _helper(task: str) -> _Helper:
    return _helpers.setdefault((os.getpid(), task), _Helper(task))  # a fork must not share its parent's


def fork_for_each(task: str) -> Generator[dict | None, dict, None]:
    """Runs in the helper: a fork for every request."""
    function = function_named(task)
    _preload(task)
    answer = None
    while True:
        request = yield answer
        answer = _answer(function, request["arguments"], request["seconds"], request["memory"])


def _preload(task: str) -> None:
    for name in getattr(importlib.import_module(task.split(":")[0]), "PRELOADED", ()):
        importlib.import_module(name)


def _answer(function: Callable[..., Any], arguments: list, seconds: float, memory: int) -> dict:
    if not hasattr(os, "fork"):  # Windows: the parent sees this process die and starts another
        return outcome(lambda: {"said": function(*arguments)})

    def run(say: Say) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # a library that dies says so: `ending` is the one line of it
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        with _limited(memory, seconds):
            answer = outcome(lambda: {"said": function(*arguments)})
        say(answer)

    fork, deadline, answers = Fork(run), time.monotonic() + _WAITING * seconds, []
    try:
        while fork.status is None and (left := deadline - time.monotonic()) > 0:
            answers += fork.read(left)
        late = fork.status is None
    finally:
        fork.kill()
    if late or fork.status == -signal.SIGXCPU:
        return {"failed": f"it took over {seconds:g} s"}
    return answers[0] if fork.status == 0 else {"failed": ending(fork.status or 0)}


@contextlib.contextmanager
def _limited(extra: int, seconds: float) -> Iterator[None]:
    """Limits this process for good; memory only inside of the block, so that it can answer after it."""
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
    if ceiling != resource.RLIM_INFINITY:
        wanted = min(wanted, ceiling)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, ceiling))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
