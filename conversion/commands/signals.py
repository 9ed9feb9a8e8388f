"""Ctrl-C and SIGTERM: whatever a command is doing, it unwinds, cleans up and says one line.

Python would turn Ctrl-C into a KeyboardInterrupt, which libraries catch, and die of SIGTERM at once, leaving its temporary
files. Here both raise an exception of this project's own in the main thread.
"""

import _thread
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

_PATIENCE_S = 2.0
"""Until a second signal counts: it comes by itself where a terminal and a shell send it twice, and must not stop the clean-up."""

_AGAIN_S = 0.05
"""Until a signal that was lost is sent again."""


class Stopped(BaseException):
    """A signal asks the command to end; no `except Exception` takes it for an error."""


_received: list[tuple[int, float]] = []


def stop_on_signals() -> None:
    """From now on SIGINT and SIGTERM raise `Stopped` in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    sys.unraisablehook = _again_or_show


def ignore_signals() -> None:
    """From now on SIGINT and SIGTERM do nothing: what comes while Python ends must not change the status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def stop_status() -> int | None:
    """128 + the number of the signal that came, None if none did."""
    return 128 + _received[-1][0] if _received else None


def _stop(number: int, frame: FrameType | None) -> None:
    if _received and time.monotonic() - _received[-1][1] < _PATIENCE_S:
        return
    _received.append((number, time.monotonic()))
    raise Stopped(signal.Signals(number).name)


def _again_or_show(unraisable: Any) -> None:
    """A signal that arrives inside of a destructor is lost, as any exception there: it is sent once more, when this hook is over."""
    if isinstance(unraisable.exc_value, Stopped) and _received:
        number, _ = _received.pop()
        again = threading.Timer(_AGAIN_S, _thread.interrupt_main, [signal.Signals(number)])
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
