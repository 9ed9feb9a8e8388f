"""Parts of this project in a process of their own: one answer (`call`), answers while it runs (`stream`), questions and answers (`serve`).

Another process is for what leaks, crashes, hangs, or changes a library for good. One rule holds for all of them. A child ends with
this process, however that ends, because its standard input then does. It has a limit, on the time until its next answer. It is asked to
end, has `PATIENCE_S` to clean up, and is killed with all that it started. What it prints goes no further than the last line of an error.

A message is a value that JSON can hold, or bytes. `keras_models.system.child` is the other end.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from keras_models.system import errors
from keras_models.system.errors import MobileSRError, printable

PATIENCE_S = 20.0
"""For a child to clean up in; TensorFlow's converter is deaf to signals for so long."""

_LATE_S = 1.0
"""For an answer that came in time to a process that was stopped (Ctrl-Z) at the limit."""

_KEPT = 1 << 16
"""Bytes of a child's chatter that are kept: the last ones."""

_END = object()


@dataclass(frozen=True)
class Task:
    """What a child does.

    Attributes:
        function: "module:function", imported in the child only. `call` wants a function that returns, the others a generator.
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
        MobileSRError: the one that the function raised, or what `task.failed` makes if it crashed, took too long or raised anything else.

    Example:
        >>> call(Task("posixpath:join", ["a", "b"], limit_s=60, failed=MobileSRError))
        'a/b'
    """
    with stream(task) as child:
        return child.answer()


def stream(task: Task) -> "Child":
    """A child to iterate over: what the generator yields, while it runs. Leaving the `with` block ends it; errors are those of `call`."""
    return Child(task, asks=False)


def serve(task: Task) -> "Child":
    """A child to `ask`: the generator is sent each question, and yields the answer. Its first `answer` comes without a question."""
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
        self._listeners = [_thread(self._listen, self.process.stdout), _thread(self._keep_chatter, self.process.stderr)]
        self._send({"function": task.function, "arguments": list(task.arguments), "asks": asks, "limit_s": task.limit_s})

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
            if self.process.poll() is None:
                self.process.terminate()
                if hasattr(signal, "SIGCONT"):  # a stopped process does not hear the other one
                    self.process.send_signal(signal.SIGCONT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(PATIENCE_S)
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
        raise self._task.failed(what)

    def _how_it_died(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_S)
        how = ending(self.process.returncode or 0)
        self.close()
        self._listeners[1].join(_LATE_S)  # not for ever: a stranger may hold that pipe open
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


def write_message(pipe: IO[bytes], message: dict) -> None:
    """Writes a message whose "said", if it has one, is JSON-ready or bytes; a reader that is gone is no error here."""
    with contextlib.suppress(OSError, ValueError):
        if isinstance(message.get("said"), bytes):
            data = message["said"]
            pipe.write(json.dumps({**message, "said": None, "bytes": len(data)}).encode() + b"\n" + data)
        else:
            pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()


def read_message(pipe: IO[bytes]) -> dict | None:
    """The next message; None at the end.

    Raises:
        ValueError: what came is no message, or a part of one.
    """
    line = pipe.readline()
    if not line:
        return None
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("no message")
    if "bytes" in message:
        message["said"] = pipe.read(message["bytes"])
        if len(message["said"]) < message["bytes"]:
            raise ValueError("a part of a message")
    return message


def ending(status: int) -> str:
    """How a process died, in words, from the status that `subprocess` gives."""
    if status == -9:
        return "it was killed (signal 9), as the system does when memory runs out"
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"it crashed (signal {-status}, {names.get(-status, 'unknown')})"
    return f"it crashed (status {status})" if status else "it ended without an answer"


def last_words(log: str) -> str:
    """The line of a log that says most about an end: the last one with an error in it, or the last one; "" if there is none."""
    lines = [line for line in (" ".join(printable(line).split()) for line in log.splitlines()) if line]
    return ([line for line in lines if "error" in line.lower()] or lines or [""])[-1][:200]


def python_module(name: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this project in a new process, whatever lies in the working folder.

    `python -m` alone would import a file called json.py that somebody left among the photos.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return [sys.executable, "-P", "-m", name], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _thread(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread
