"""What is known of a file, kept in the user's cache under its content: it was proven, and what was measured on it."""

import contextlib
import hashlib
import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import MobileSRError

Facts = TypeVar("Facts")
_LOCATION = re.compile(rb"\x0a\x08location\x12(?:([\x01-\x7f])|([\x80-\xff])([\x01-\x7f]))", re.DOTALL)
"""Of Protocol Buffers: a field of 8 bytes, and one whose length is a number of one or two bytes."""
_MOST_FILES = 100


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
        return folder / f"{_content(path)}-{what}.json"
    except (OSError, MobileSRError):
        return None


def _content(path: Path) -> str:
    """Digest of a file, and of the files beside it that hold the weights of an .onnx: these may change while it stays the same."""
    digest = sha256_of(path)
    if path.suffix.lower() != ".onnx":
        return digest
    beside = {path.parent / os.fsdecode(name) for name in _locations(path.read_bytes())}
    parts = sorted(sha256_of(file) for file in beside if file.is_file() and file.stat().st_size <= MAX_BYTES)
    return hashlib.sha256("".join([digest, *parts]).encode()).hexdigest() if parts else digest


def _locations(model: bytes) -> set[bytes]:
    """The names that stand behind "location" in an .onnx, where its external tensors say in which file they lie."""
    found = set()
    for entry in _LOCATION.finditer(model):
        length = entry[1][0] if entry[1] else (entry[2][0] & 0x7F) | entry[3][0] << 7
        found.add(model[entry.end() : entry.end() + length])
    return {name for name in list(found)[:_MOST_FILES] if name and b"\0" not in name}


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
