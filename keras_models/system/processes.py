"""Child processes: one answer (`call`), answers while it runs (`stream`), questions and answers (`serve`).

A process of its own is for what leaks, crashes, hangs, or changes a library for good. One rule holds for all:

* A child ends with this process, however that ends, because its standard input does so.
* It has a time limit, from one message to its next answer.
* To end it, it is asked, has `PATIENCE_S` to clean up, and is killed with all that it started.
* What it prints is seen only as the last line of an error.

A message is a value that JSON can hold, or bytes. `keras_models.system.child` is the other end.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from keras_models.system import errors
from keras_models.system.errors import MobileSRError
from keras_models.system.messages import ending, last_words, read_message, write_message

PATIENCE_S = 20.0
"""For a child to clean up in; TensorFlow's converter is deaf to signals for so long."""

NUDGE_S = 0.5
"""Until a child is asked to end once more."""

_LATE_S = 0.05
"""To read an answer that lay there in time: this process was stopped (Ctrl-Z) when the limit passed."""

_KEPT = 1 << 16
"""Bytes of a child's chatter that are kept: the last ones."""

_END = object()


@dataclass(frozen=True)
class Task:
    """What a child does.

    Attributes:
        function: "module:function", imported in the child only. `call` wants one that returns, `stream` and
            `serve` a generator.
        arguments: of the function, JSON-ready.
        limit_s: seconds by the clock from the start, or from one answer or question, to the next answer.
        failed: makes the error from what happened: "it crashed (signal 11, SIGSEGV)".
        environment: variables on top of this process' own.
        folder: that it works in; None for this process' own.
    """

    function: str
    arguments: Sequence[Any]
    limit_s: float
    failed: Callable[[str], MobileSRError]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


def call(task: Task) -> Any:
    """What the function returns.

    Raises:
        MobileSRError: the one that the function raised, or what `task.failed` makes if it crashed, took too
            long or raised anything else.

    Example:
        >>> call(Task("posixpath:join", ["a", "b"], limit_s=60, failed=MobileSRError))
        'a/b'
    """
    with stream(task) as child:
        return child.answer()


def stream(task: Task) -> "Child":
    """A child to iterate over: what its generator yields. `with` ends it; errors are those of `call`."""
    return Child(task, asks=False)


def serve(task: Task) -> "Child":
    """A child to `ask`: its generator is sent a question and yields the answer; the first comes unasked."""
    return Child(task, asks=True)


class Child:
    """A running child, see `stream` and `serve`.

    Attributes:
        process: of the operating system.
    """

    def __init__(self, task: Task, asks: bool) -> None:
        command, environment = python_module("keras_models.system.child")
        self._task, self._heard, self._chatter = task, queue.SimpleQueue[Any](), bytearray()
        try:
            self.process = subprocess.Popen(
                command,
                env={**environment, **task.environment},
                cwd=task.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this process, which ends the child
            )
        except OSError as error:
            raise task.failed(f"it cannot be started ({error.strerror})") from None
        _thread(self._listen, self.process.stdout)
        self._chatting = _thread(self._keep_chatter, self.process.stderr)
        work = {"function": task.function, "arguments": list(task.arguments), "asks": asks}
        self._send({**work, "limit_s": task.limit_s})

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        while (said := self._next(self._task.limit_s)) is not _END:
            yield said

    def answer(self) -> Any:
        """The next answer; errors are those of `call`, and end the child."""
        said = self._next(self._task.limit_s)
        if said is _END:
            self._fail(ending(0))
        return said

    def ask(self, question: Any, limit_s: float | None = None) -> Any:
        """The answer to a question; errors are those of `call`, and end the child.

        Args:
            question: JSON-ready, or bytes.
            limit_s: for this one; None for the task's.
        """
        limit_s = limit_s or self._task.limit_s
        self._send({"said": question, "limit_s": limit_s})
        return self._next(limit_s)

    def close(self) -> None:
        """Ends the child and all that it started."""
        try:
            deadline = time.monotonic() + PATIENCE_S
            while self.process.poll() is None and (left := deadline - time.monotonic()) > 0:
                self.process.terminate()  # again and again: one that comes just before a system call is not seen
                if hasattr(signal, "SIGCONT"):  # a stopped process does not hear the other one
                    self.process.send_signal(signal.SIGCONT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(min(left, NUDGE_S))
        finally:
            if hasattr(os, "killpg"):
                with contextlib.suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _send(self, message: dict) -> None:
        """Writes in a thread: a child that does not read must not hold this one past its limit."""
        assert self.process.stdin is not None
        _thread(write_message, self.process.stdin, message)

    def _next(self, limit_s: float) -> Any:
        try:
            try:
                said = self._heard.get(timeout=limit_s)
            except queue.Empty:
                said = self._heard.get(timeout=_LATE_S)
        except queue.Empty:
            self._fail(f"it did not answer within {limit_s:g} s")
        except BaseException:  # interrupted: the answer to come belongs to nobody
            self.close()
            raise
        if said is None:
            self._fail(self._how_it_died())
        if "refused" in said:
            self.close()
            raise getattr(errors, said["kind"])(said["refused"])
        if "failed" in said:
            self._fail(said["failed"])
        return said.get("said", _END)

    def _fail(self, what: str) -> NoReturn:
        self.close()
        raise self._task.failed(what) from None

    def _how_it_died(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_S)
        how = ending(self.process.returncode or 0)
        self.close()
        self._chatting.join(NUDGE_S)  # not for ever: a stranger may hold that pipe open
        words = last_words(self._chatter.decode(errors="replace"))
        return f"{how}: {words}" if words else how

    def _listen(self, answers: IO[bytes]) -> None:
        with answers, contextlib.suppress(OSError):
            try:
                while (said := read_message(answers)) is not None:
                    self._heard.put(said)
            except ValueError:
                self._heard.put({"failed": "it answers with what is no answer"})
        self._heard.put(None)

    def _keep_chatter(self, chatter: IO[bytes]) -> None:
        with chatter, contextlib.suppress(OSError, ValueError):
            while part := os.read(chatter.fileno(), _KEPT):
                self._chatter += part
                del self._chatter[:-_KEPT]


def python_module(name: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this project, whatever lies in the working folder.

    `python -m` alone would import a file called json.py that somebody left among the photos.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return [sys.executable, "-P", "-m", name], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _thread(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread
