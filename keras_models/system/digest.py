"""The SHA-256 of a file."""

import hashlib
from pathlib import Path


def sha256_of(path: str | Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
