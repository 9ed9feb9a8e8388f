"""A copy of this process that runs a function and ends with it: for what is slow to prepare and may die.

Only for a process that was started for it (`keras_models.system.sandbox`, scripts/fuzz.py): a fork copies the
locks that other threads hold. Not on Windows.
"""

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

Say = Callable[[Any], None]


class Fork:
    """The copy.

    Args:
        run: called there, with a function that sends a JSON-ready message here. What it raises is status 1.

    Attributes:
        pid: of the copy.
        pipe: to wait for, with others.
        status: as `subprocess` gives it; None while it runs.
    """

    def __init__(self, run: Callable[[Say], None]) -> None:
        parent = os.getpid()
        self.status: int | None = None
        self._buffer = bytearray()
        self.pipe, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _run(run, writing, parent)
        os.close(writing)

    def read(self, wait_s: float) -> list[Any]:
        """The messages that come in one piece, within a time; sets `status` where that piece is the end."""
        if not select.select([self.pipe], [], [], max(0.0, wait_s))[0]:
            return []
        data = os.read(self.pipe, 1 << 16)
        if not data:
            self._end()
        self._buffer += data
        if b"\n" not in data:
            return []
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """Ends it and whatever it was about to say."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._end()

    def _end(self) -> None:
        os.close(self.pipe)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _run(run: Callable[[Say], None], pipe: int, parent: int) -> None:
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if _libc is not None:
            _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() == parent:
            stream = os.fdopen(pipe, "w")

            def say(message: Any) -> None:
                stream.write(json.dumps(message) + "\n")
                stream.flush()

            run(say)
            status = 0
    finally:
        os._exit(status)
