"""Keeps native libraries' chatter off the terminal: C++ logs go to file descriptors that Python cannot filter."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def silenced(*descriptors: int) -> Iterator[Callable[[], str]]:
    """Puts file descriptors (default: 2, standard error) aside; yields a function that gives what was said so far."""
    descriptors = descriptors or (2,)
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", errors="replace") as sink, contextlib.ExitStack() as restore:
        if 1 in descriptors:  # a notebook's standard output is no file descriptor
            restore.enter_context(contextlib.redirect_stdout(io.StringIO()))
        for fd in descriptors:
            try:
                saved = os.dup(fd)
            except OSError:  # the process has no such stream
                continue
            os.dup2(sink.fileno(), fd)
            restore.callback(os.close, saved)
            restore.callback(os.dup2, saved, fd)

        def said() -> str:
            sink.seek(0)
            return sink.read()

        try:
            yield said
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def import_keras() -> None:
    """Imports Keras and its backend without TensorFlow's lines about oneDNN and missing GPUs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():
        import keras  # noqa: F401
