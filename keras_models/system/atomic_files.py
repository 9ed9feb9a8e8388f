"""Outputs are atomic: written to a temporary file in the same folder, then renamed; a failure leaves the old file or none."""

import atexit
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from keras_models.system.errors import OutputError, one_line

_MARK = ".mobile-sr-"  # what the names of unfinished files begin with
_unfinished: set[Path] = set()


@contextlib.contextmanager
def atomic_output(target: str | Path) -> Iterator[Path]:
    """Yields a temporary path with the target's suffix; on success it takes the target's place.

    Raises:
        OutputError: the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(target)
    with scratch_file(target) as scratch:
        yield scratch
        try:
            with scratch.open("rb") as file:
                os.fsync(file.fileno())  # a rename may reach the disk before the bytes do
            os.chmod(scratch, 0o666 & ~_umask())  # it was private, an output is not
            os.replace(scratch, target)
        except OSError as error:
            raise _unwritable(target, error) from None


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, where they are missing.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}): give another folder") from None


def cache_folder() -> Path:
    """Where what can be made again is kept: `mobile-sr` in the user's cache folder (XDG)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mobile-sr"


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder in which nobody writes now."""
    for leftover in folder.glob(f"{_MARK}*"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_file(target: Path) -> Iterator[Path]:
    """Yields a hidden empty file beside the target, with its suffix; whatever is left of it in the end is removed.

    Raises:
        OutputError: the folder does not exist or cannot be written, or the disk is full.
    """
    scratch = target.parent / f"{_MARK}{target.stem[:40]}-{secrets.token_hex(6)}{target.suffix}"
    _unfinished.add(scratch)  # before it exists: a signal may come between any two lines
    try:
        os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield scratch
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written has nothing to remove either
            scratch.unlink(missing_ok=True)
        _unfinished.discard(scratch)


@atexit.register
def _remove_unfinished() -> None:
    """What a signal left, that came while the lines above were cleaning up."""
    for scratch in list(_unfinished):
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or one_line(error)
    return OutputError(f"{target}: cannot be written ({reason}): what was there is kept; make room or go elsewhere")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
