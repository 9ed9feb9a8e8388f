"""Keeps native libraries' chatter off the terminal: C++ logs go to file descriptors that Python cannot filter."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

_aside: list[tuple[int, int]] = []
"""Duplicates of the descriptors that are put aside, and the descriptors; those put aside last are last."""


@contextlib.contextmanager
def silenced(*descriptors: int) -> Iterator[Callable[[], str]]:
    """Puts file descriptors (default: 2, standard error) aside; yields a function that gives what was said so far."""
    descriptors = descriptors or (2,)
    _flush()
    with tempfile.TemporaryFile("w+", errors="replace") as sink, contextlib.ExitStack() as restore:
        if 1 in descriptors:  # a notebook's standard output is no file descriptor
            restore.enter_context(contextlib.redirect_stdout(io.StringIO()))
        for fd in descriptors:
            try:
                saved = os.dup(fd)
            except OSError:  # the process has no such stream
                continue
            _aside.append((saved, fd))
            restore.callback(_put_back, saved, fd)
            os.dup2(sink.fileno(), fd)

        def said() -> str:
            sink.seek(0)
            return sink.read()

        try:
            yield said
        finally:
            _flush()


def speak_again() -> None:
    """Puts back every descriptor that is aside, for a last word after a signal.

    Another thread may have put it aside, or a block of `silenced` that the signal's exception kept from beginning or ending well.
    """
    for saved, fd in reversed(_aside):
        os.dup2(saved, fd)


def _put_back(saved: int, fd: int) -> None:
    os.dup2(saved, fd)
    _aside.remove((saved, fd))
    os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started the process
            stream.flush()


def import_keras() -> None:
    """Imports Keras and its backend without TensorFlow's lines about oneDNN and missing GPUs; nothing if it was imported."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():
        import keras  # noqa: F401
