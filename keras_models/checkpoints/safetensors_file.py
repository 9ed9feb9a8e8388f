"""Reading .safetensors: eight bytes of a length, so many of JSON that say name, dtype, shape and place of each tensor, then the tensors.

The safetensors library reads no 8-bit floats into NumPy, takes the last of two tensors of one name without a word, and as much time as
a header of 100 MB wants; it is used for writing.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.checkpoints.float_formats import short_float
from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.errors import CheckpointError

_MAX_HEADER_BYTES = 4 << 20
"""Names, shapes and places of 40,000 tensors, read within a second."""
_MAX_RANK = 8
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}
_DTYPES |= {"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, as views of its bytes.

    Raises:
        CheckpointError: what is wrong with the file.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise CheckpointError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read of a checkpoint")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise _unreadable(path, "its header does not fit into it")
        if length > _MAX_HEADER_BYTES:
            raise CheckpointError(f"{path}: a header of {length:,} bytes: {_MAX_HEADER_BYTES:,} is the most that is read")
        header, data = _header(file.read(length), path), file.read(size - 8 - length)
    header.pop("__metadata__", None)
    tensors, taken = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: _places(item[1], path)):
        begin, end = _places(entry, path)
        if begin != taken or end > len(data):
            raise _unreadable(path, "its tensors are not one behind the other, or more than its bytes")
        tensors[name] = _tensor(data, begin, end, entry, f"{path}: tensor {name[:80]}")
        taken = end
    if taken != len(data):
        raise _unreadable(path, "it has bytes that belong to no tensor")
    return tensors


def _header(text: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict:
        if len(made := dict(pairs)) != len(pairs):
            raise _unreadable(path, "a name stands twice in its header")
        return made

    try:
        header = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise _unreadable(path, "its header is no JSON") from None
    if not isinstance(header, dict) or not all(isinstance(entry, dict) for entry in header.values()):
        raise _unreadable(path, "its header names no tensors")
    return header


def _places(entry: dict, path: Path) -> tuple[int, int]:
    places = entry.get("data_offsets")
    if not isinstance(places, list) or len(places) != 2 or not all(type(n) is int and 0 <= n <= MAX_BYTES for n in places):
        raise _unreadable(path, "a tensor does not say where it stands")
    return places[0], places[1]


def _tensor(data: bytes, begin: int, end: int, entry: dict, what: str) -> np.ndarray:
    word, shape = entry.get("dtype"), entry.get("shape")
    dtype = (np.dtype(_DTYPES[word]) if word in _DTYPES else short_float(word)) if isinstance(word, str) else None
    if dtype is None:
        raise CheckpointError(f"{what}: its dtype {str(word)[:20]!r} is not one that is read: save it as float32")
    if not isinstance(shape, list) or len(shape) > _MAX_RANK or not all(type(n) is int and 0 <= n <= MAX_BYTES for n in shape):
        raise CheckpointError(f"{what}: no shape, or one of more than {_MAX_RANK} dimensions: save it again")
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise CheckpointError(f"{what}: has {end - begin:,} bytes, not those of {word} {shape}: download it again")
    return np.frombuffer(data, dtype, math.prod(shape), begin).reshape(shape) if end > begin else np.empty(shape, dtype)


def _unreadable(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path}: not a readable .safetensors file ({why}): download it again")
