"""Outputs are atomic: written to a temporary file in the same folder, then renamed; a failure leaves the old file or none."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_models.errors import MobileSRError


@contextlib.contextmanager
def atomic_output(target: str | Path) -> Iterator[Path]:
    """Yields a temporary path with the target's suffix; on success it takes the target's place.

    Raises:
        MobileSRError: the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(target)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(suffix=target.suffix, prefix=f".{target.stem}-", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise MobileSRError(f"{target}: cannot be written ({error.strerror or error}): give another output") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
