"""The three standard streams, open: a daemon's may be closed, and then the next file that is opened becomes one of them."""

import os
import sys


def open_missing_streams() -> None:
    """Opens whichever of standard input, output and error is closed, or cannot be written, on nothing: no output takes its number."""
    for number in range(3):
        if not _is_usable(number):
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = open(0)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w")  # noqa: SIM115


def _is_usable(number: int) -> bool:
    try:
        import fcntl

        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
    except ImportError:  # Windows
        return True
    except OSError:
        return False
    return number == 0 or mode != os.O_RDONLY
