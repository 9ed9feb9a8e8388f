"""Outputs are atomic: written to a temporary file in the same folder, then renamed; a failure leaves the
old file or none.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from keras_models.system.errors import OutputError, one_line

_MARK = ".mobile-sr-"  # what the names of unfinished files begin with
_unfinished: set[Path] = set()
_cleared: set[Path] = set()  # folders whose leftovers this process has removed


@contextlib.contextmanager
def atomic_output(target: str | Path) -> Iterator[Path]:
    """Yields a temporary path with the target's suffix; on success it takes the target's place.

    A link is kept, and the file that it points to replaced. What exists and is neither file nor folder, such
    as a pipe or `/dev/null`,
    is written into.

    Raises:
        OutputError: the folder does not exist or cannot be written, the disk is full, or the target is a
        folder.
    """
    target = Path(target)
    if is_special(target):
        with scratch_file(Path(tempfile.gettempdir()) / target.name) as scratch:
            yield scratch
            _pour(scratch, target)
        return
    if target.is_dir():
        raise OutputError(f"{target}: is a folder: give the name of a file")
    place = Path(os.path.realpath(target)) if target.is_symlink() else target
    with scratch_file(place) as scratch:
        yield scratch
        try:
            with scratch.open("rb") as file:
                os.fsync(file.fileno())  # a rename may reach the disk before the bytes do
            os.chmod(scratch, 0o666 & ~_umask())  # it was private, an output is not
            os.replace(scratch, place)
        except OSError as error:
            raise _unwritable(target, error) from None


def is_special(path: Path) -> bool:
    """Whether a path, links followed, leads to something that exists and is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_unfinished(name: str) -> bool:
    """Whether a file's name is that of an output under way, or left by a killed run."""
    return name.startswith(_MARK)


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
    """Where what can be made again is kept: `mobile-sr` in the user's cache folder (XDG_CACHE_HOME, or ~/.cache)."""
    return user_cache_path("mobile-sr")


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder; what another process is writing there is locked, and
    stays.
    """
    with contextlib.suppress(OSError):
        for leftover in folder.glob(f"{_MARK}*"):
            with contextlib.suppress(OSError), leftover.open("rb") as file:
                if _lock(file.fileno(), wait=False):
                    leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_file(target: Path) -> Iterator[Path]:
    """Yields a hidden empty file beside the target, with its suffix; whatever is left of it in the end is
    removed.

    What killed runs left in that folder is removed when this process first writes there.

    Raises:
        OutputError: the folder does not exist or cannot be written, or the disk is full.
    """
    if target.parent not in _cleared:
        _cleared.add(target.parent)
        remove_leftovers(target.parent)
    scratch = target.parent / f"{_MARK}{target.stem[:40]}-{secrets.token_hex(6)}{target.suffix}"
    _unfinished.add(scratch)  # before it exists: a signal may come between any two lines
    descriptor = None
    try:
        descriptor = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        # Held to the end. A process that clears the folder may have taken the file for a leftover, in the
        # moment before: then it is made again.
        if _lock(descriptor, wait=True) and not scratch.exists():
            os.close(descriptor)
            descriptor = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            _lock(descriptor, wait=True)
        yield scratch
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written has nothing to remove either
            scratch.unlink(missing_ok=True)
        _unfinished.discard(scratch)
        if descriptor is not None:
            os.close(descriptor)


@atexit.register
def _remove_unfinished() -> None:
    """What a signal left, that came while the lines above were cleaning up."""
    for scratch in list(_unfinished):
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _pour(scratch: Path, target: Path) -> None:
    try:
        with scratch.open("rb") as file, target.open("wb") as into:
            shutil.copyfileobj(file, into)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror or one_line(error)}): give another output"
        ) from None


def _lock(descriptor: int, wait: bool) -> bool:
    """Locks a file for as long as it is open; False if another process holds it, or there are no such
    locks here.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):  # Windows has none, some network disks neither
        return False
    return True


def _unwritable(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or one_line(error)
    return OutputError(
        f"{target}: cannot be written ({reason}): what was there is kept; make room or go elsewhere"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
