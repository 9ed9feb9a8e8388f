"""What is known of a file, kept in the user's cache under its content: it was proven, and what was measured on it."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import MobileSRError

Facts = TypeVar("Facts")


def place_of(path: Path, what: str) -> Path | None:
    """Where something about a file's content is kept; None if the file or the cache cannot be used.

    Args:
        path: of the file.
        what: names what is kept and all else that it depends on, such as versions.
    """
    try:
        if path.stat().st_size > MAX_BYTES:  # it is refused where it is read, and hashing it would take minutes
            return None
        folder = cache_folder() / "proven"
        make_folder(folder)
        return folder / f"{sha256_of(path)}-{what}.json"
    except (OSError, MobileSRError):
        return None


def recall(place: Path | None, kind: type[Facts]) -> Facts | None:
    """The dataclass that `keep` put there; None if there is none, or something spoilt it."""
    if place is None:
        return None
    try:
        return kind(**json.loads(place.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def keep(place: Path | None, facts: Any) -> None:
    """Puts a dataclass of plain values there; a cache that cannot be written is none."""
    if place is not None:
        with contextlib.suppress(OSError, MobileSRError), atomic_output(place) as scratch:
            scratch.write_text(json.dumps(asdict(facts)))
