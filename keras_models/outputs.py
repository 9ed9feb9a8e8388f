"""Outputs are atomic: written to a temporary file in the same folder, then renamed; a failure leaves the old file or none."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_models.errors import OutputError

_MARK = ".mobile-sr-"  # what the names of unfinished files begin with


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
            os.chmod(scratch, 0o666 & ~_umask())  # mkstemp's files are private, an output is not
            os.replace(scratch, target)
        except OSError as error:
            raise _unwritable(target, error) from None


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
    try:
        handle, name = tempfile.mkstemp(suffix=target.suffix, prefix=f"{_MARK}{target.stem[:80]}-", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from None
    os.close(handle)
    try:
        yield Path(name)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        Path(name).unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> OutputError:
    return OutputError(f"{target}: cannot be written ({error.strerror or error}): what was there is kept; make room or go elsewhere")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
