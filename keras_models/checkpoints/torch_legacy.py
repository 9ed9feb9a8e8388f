"""PyTorch checkpoints from before 1.6, and of `_use_new_zipfile_serialization=False`: a row of pickles, then the tensors' bytes.

A magic number, a protocol number, the machine's byte order, the object, the keys of its storages; then, storage by storage, the number
of its values as a 64-bit integer, and the values. The object is read twice: to learn what the storages are, and with them.
"""

import io
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_models.checkpoints.tensor_pickle import MAX_PICKLE_BYTES, TensorUnpickler
from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.errors import CheckpointError

_MAGIC = 0x1950A86A20F9469CFC6C
_BEGINS = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_PROTOCOL = 1001


def is_legacy(path: str | Path) -> bool:
    """Whether a file begins as such a checkpoint does."""
    with Path(path).open("rb") as file:
        return file.read(len(_BEGINS)) == _BEGINS


def read_legacy(path: str | Path) -> dict:
    """As `torch_zip.read_torch`.

    Raises:
        CheckpointError: too large, or its parts do not fit together.
        Exception: whatever a damaged pickle raises.
    """
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise CheckpointError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read of a checkpoint")
    with Path(path).open("rb") as file:
        head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
        _, protocol, machine = (_load(head, path) for _ in range(3))
        if protocol != _PROTOCOL or not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise CheckpointError(f"{path}: of another protocol or byte order than PyTorch writes on common machines: save it anew")
        begins, described = head.tell(), dict[str, tuple[np.dtype, int]]()

        def describe(key: str, dtype: np.dtype, count: int) -> None:
            if described.setdefault(key, (dtype, count)) != (dtype, count):
                raise CheckpointError(f"{path}: storage {key[:80]} is said to be two things: download the file again")

        TensorUnpickler(head, describe, path).load()
        keys = _load(head, path)
        file.seek(head.tell())
        stored = _read_storages(file, keys, described, path)
        head.seek(begins)
        return TensorUnpickler(head, lambda key, dtype, count: stored[key], path).load()


def _load(stream: IO[bytes], path: str | Path) -> Any:
    return TensorUnpickler(stream, lambda *_: None, path).load()


def _read_storages(file: IO[bytes], keys: Any, described: dict[str, tuple[np.dtype, int]], path: str | Path) -> dict[str, np.ndarray]:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != described.keys():
        raise CheckpointError(f"{path}: the list of its storages is not that of its tensors: download the file again")
    left = Path(path).stat().st_size - file.tell()
    stored = {}
    for key in keys:
        dtype, count = described[key]
        wanted = count * dtype.itemsize
        left -= 8 + wanted
        if left < 0 or int.from_bytes(file.read(8), "little") != count:
            raise CheckpointError(f"{path}: storage {key[:80]} has not the {wanted:,} bytes that it should: cut off, download it again")
        stored[key] = np.frombuffer(file.read(wanted), dtype)
    return stored
