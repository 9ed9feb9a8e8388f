"""Standard output and error whose reader has gone (`mobile-sr ... | true`): the command ends its work, says what it has to say
elsewhere, and its status is its own.

A write would raise in the middle of the report: what failed would never be said, and a status of 2 would become another.
"""

import contextlib
import io
import os
import signal
import stat
import sys
from collections.abc import Iterator

NOT_READ = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
"""Status of a command that has succeeded, and of whose output nobody has read the end: that of other programs in a pipe."""


class _Pipe(io.RawIOBase):
    """Writes into a pipe; from when its reader has gone, into nothing.

    Attributes:
        reader_gone: something was not read.
    """

    def __init__(self, number: int) -> None:
        self._number, self.reader_gone = number, False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            return os.write(self._number, data)
        except BrokenPipeError:
            self.reader_gone = True
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._number)
            os.close(nothing)
            return len(data)


@contextlib.contextmanager
def kept_going() -> Iterator[list[_Pipe]]:
    """Inside of the block writes to standard output and error never raise because nobody reads; yields those that are pipes."""
    pipes, before = [], (sys.stdout, sys.stderr)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        number = _number_of_pipe(stream)
        if number is not None:
            stream.flush()
            pipes.append(_Pipe(number))
            quick = name == "stderr"  # line by line, as Python does it itself
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(pipes[-1]), stream.encoding, stream.errors, line_buffering=quick))
    try:
        yield pipes
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _number_of_pipe(stream: object) -> int | None:
    """The descriptor of a stream that somebody else reads while it is written; None for files, terminals and what is no file."""
    try:
        number = stream.fileno()  # type: ignore[attr-defined]
        mode = os.fstat(number).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    return number if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None
