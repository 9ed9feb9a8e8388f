"""Reading a PyTorch checkpoint without PyTorch and without running anything that is in the file.

A .pth file is a zip: `*/data.pkl` describes the tensors, `*/data/N` holds their bytes. The unpickler knows three functions and
the storage types below and builds plain descriptions from them; any other global in the file is refused before it could be
called, and so is any opcode that plain data and tensors do not need.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from keras_models.checkpoints.zip_limits import MAX_BYTES, open_archive
from keras_models.system.errors import CheckpointError, one_line

STORAGE_DTYPES: dict[str, np.dtype] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
MAX_PICKLE_BYTES = 16 << 20  # names and shapes of 100,000 tensors fit; a larger one is an attack on time and memory
_OPCODES = "PROTO STOP MARK EMPTY_DICT EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 SETITEM SETITEMS"
_OPCODES += " NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES"
_OPCODES += " SHORT_BINSTRING BINSTRING GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET MEMOIZE FRAME"


def read_torch(path: str | Path) -> dict:
    """The object stored in a zip-format .pth file, its tensors as NumPy arrays.

    Args:
        path: a file written by `torch.save` (PyTorch 1.6 or later).

    Returns:
        What was saved: dicts, lists, numbers, strings and arrays (of the file's dtype and PyTorch layout).

    Raises:
        CheckpointError: not such a file, damaged, or it holds something besides tensors and plain data.
    """
    try:
        with open_archive(path) as archive:
            record = _pickle_record(archive, path)
            stream = io.BytesIO(archive.read(record))
            return _TensorUnpickler(stream, archive, record.removesuffix("data.pkl"), path).load()
    except CheckpointError:
        raise
    except zipfile.BadZipFile:
        raise CheckpointError(
            f"{path}: not a zip-format PyTorch checkpoint, or cut off: download it again, or re-save it with torch.save"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}: give a readable file") from None
    except Exception as error:  # a damaged pickle can raise anything at all
        raise CheckpointError(f"{path}: damaged checkpoint ({one_line(error)}): download it again") from None


def _pickle_record(archive: zipfile.ZipFile, path: str | Path) -> str:
    records = [i for i in archive.infolist() if i.filename == "data.pkl" or i.filename.endswith("/data.pkl")]
    if len(records) != 1:
        raise CheckpointError(f"{path}: a zip without one data.pkl: give a file written by torch.save")
    if records[0].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path}: data.pkl of {records[0].file_size >> 20} MiB is not a list of tensors: refused")
    return records[0].filename


class _StorageType:
    """Stands for torch.FloatStorage and its kin."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype


def _empty_dict() -> OrderedDict:
    """What stands for `OrderedDict`, which would hash items that it is called with."""
    return OrderedDict()


# The one in Python: C's takes memory by numbers in the file, and hashes any key, which takes for ever with nested tuples.
class _TensorUnpickler(pickle._Unpickler):
    dispatch = {ord(code): pickle._Unpickler.dispatch[ord(code)] for code in (getattr(pickle, name) for name in _OPCODES.split())}
    stack: list  # these two are of pickle._Unpickler
    pop_mark: Callable[[], list]

    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, prefix: str, path: str | Path) -> None:
        super().__init__(stream)
        self._archive, self._prefix, self._path = archive, prefix, path
        self._storages: dict[str, np.ndarray] = {}
        self._budget = MAX_BYTES

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return _empty_dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        if module == "torch" and name in STORAGE_DTYPES:
            return _StorageType(STORAGE_DTYPES[name])
        self._refuse(f"{module}.{name}")

    def persistent_load(self, pid: tuple) -> np.ndarray:
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, _StorageType) or not isinstance(key, str):
            self._refuse(f"persistent id {kind!r}")
        if key not in self._storages:
            record = f"{self._prefix}data/{key}"
            expected = count * storage.dtype.itemsize
            stored = self._archive.getinfo(record).file_size
            if stored != expected:
                raise CheckpointError(f"{self._path}: {record} has {stored} bytes, not {expected}: download the file again")
            self._storages[key] = np.frombuffer(self._archive.read(record), storage.dtype)
        return self._storages[key]

    def _rebuild_tensor(self, storage: np.ndarray, offset: int, size: tuple, stride: tuple, *_: object) -> np.ndarray:
        """A copy of a strided view, checked to lie inside its storage and to be no larger."""
        if not isinstance(storage, np.ndarray) or not all(type(n) is int for n in (offset, *size, *stride)):
            raise ValueError("a tensor without storage, or sizes that are no whole numbers")
        if offset < 0 or min((*size, *stride), default=0) < 0 or len(size) != len(stride):
            raise ValueError("negative or unequal sizes and strides")
        if 0 in size:
            return np.empty(0, storage.dtype).reshape(size)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride))
        if last >= storage.size or math.prod(size) > storage.size:
            raise ValueError("tensor outside its storage")
        self._budget -= math.prod(size) * storage.itemsize
        if self._budget < 0:
            raise ValueError(f"tensors of more than {MAX_BYTES:,} bytes")
        strides = [s * storage.itemsize for s in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False).copy()

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def load_build(self) -> None:
        """What a state_dict has besides its items (`_metadata`) is of no use here."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            self._refuse(f"a change of a {type(self.stack[-1]).__name__}")

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or not all(isinstance(key, (str, int)) for key in items[::2]):
            raise ValueError("a dictionary's key is no name")
        target.update(zip(items[::2], items[1::2]))

    dispatch |= {ord(pickle.SETITEM): load_setitem, ord(pickle.SETITEMS): load_setitems, ord(pickle.BUILD): load_build}  # type: ignore[dict-item]

    def _refuse(self, what: str) -> NoReturn:
        raise CheckpointError(
            f"{self._path}: the file asks for {what}, which a checkpoint of tensors does not need: refused, nothing was run; "
            "re-save it as a plain state_dict or as .safetensors"
        )
