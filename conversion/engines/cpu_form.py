"""The form in which the CPU engine runs an 8-bit file, made once and kept in the user's cache under its own content."""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from conversion.tflite.cpu_form import cpu_form
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ModelError

Run = Callable[[Path], np.ndarray]
"""Opens a .tflite as an engine and gives what it makes of one and the same picture."""


def folder_of_forms() -> Path:
    """Where forms are kept."""
    return cache_folder() / "proven"


def place_of_form(digest: str) -> Path:
    """Where the form of this SHA-256 is kept."""
    return folder_of_forms() / f"{digest}.tflite"


def is_kept(digest: str) -> bool:
    """Whether a form is there, unspoilt."""
    with contextlib.suppress(OSError):
        return sha256_of(place_of_form(digest)) == digest
    return False


def make_form(path: Path, run: Run, folder: Path) -> Path | None:
    """Makes and keeps the form of a file.

    Args:
        path: a .tflite.
        run: what is run on the file and on its form.
        folder: of forms, `folder_of_forms()` of the process that wants it.

    Returns:
        Where it is kept, its SHA-256 for a name; None if the file runs best as it is.

    Raises:
        ModelError: the form computes something else, or cannot be kept.
    """
    made = cpu_form(path.read_bytes(), str(path))
    if not made.rewritten:
        return None
    make_folder(folder)
    place = folder / f"{hashlib.sha256(made.data).hexdigest()}.tflite"
    with atomic_output(place) as scratch:
        scratch.write_bytes(made.data)
        if not np.array_equal(run(path), run(scratch)):
            raise ModelError(f"{path}: its form for CPUs gives other numbers")
    return place
