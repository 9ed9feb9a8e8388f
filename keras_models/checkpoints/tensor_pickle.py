"""The pickle inside of a PyTorch checkpoint, read without running anything that is in it.

The unpickler knows the names below and builds plain descriptions and arrays from them; any other global in the file is refused
before it could be called, and so is any opcode that plain data and tensors do not need.

What it may cost is bounded before it is spent: every operation takes a byte of the pickle, of which there are `MAX_PICKLE_BYTES`,
and none does more than its bytes and the items that it takes off the stack. Keys are texts and small numbers, whose hashes nobody
can choose; no value of the file is ever printed, compared as a whole or multiplied before its size is known.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, NoReturn

import numpy as np

from keras_models.checkpoints.float_formats import short_float
from keras_models.system.errors import CheckpointError

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
    "UntypedStorage": np.dtype("u1"),
}
MAX_PICKLE_BYTES = 4 << 20
"""Names and shapes of 30,000 tensors; the largest released network here has 500. So many operations take three seconds at most."""
MAX_TENSORS = 30_000
_MAX_RANK = 8
_MAX_ARGUMENTS = 16
_MAX_NUMBER_KEY = 1 << 20
"""Optimizers number their parameters."""
_QUOTED = 80

_OPCODES = "PROTO STOP MARK EMPTY_DICT EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 SETITEM SETITEMS"
_OPCODES += " NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES"
_OPCODES += " SHORT_BINSTRING BINSTRING GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD BINPERSID"
_OPCODES += " BINPUT LONG_BINPUT BINGET LONG_BINGET MEMOIZE FRAME"
_DTYPES = "float32 float64 float16 int64 int32 int16 int8 uint8 bool uint16 uint32 uint64 complex64 complex128"

Storages = Callable[[str, np.dtype, int], np.ndarray | None]
"""Given a storage's key, dtype and number of values: the flat array; None if only its description is wanted."""


class _StorageType:
    """Stands for torch.FloatStorage and its kin."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype


class _Nothing:
    """Stands for what is of no use here: a NumPy number among a trainer's notes, a device."""


def _nothing(*_: object) -> _Nothing:
    return _Nothing()


def _empty_dict(*_: object) -> OrderedDict:
    """What stands for dictionaries, which would hash items that they are called with."""
    return OrderedDict()


_USELESS = "numpy.core.multiarray scalar, numpy._core.multiarray scalar, numpy dtype, _codecs encode, torch device, torch Size"
_USELESS += ", numpy.core.multiarray _reconstruct, numpy._core.multiarray _reconstruct, numpy ndarray, argparse Namespace"
_USELESS += ", builtins set, __builtin__ set, datetime datetime, datetime timedelta, pathlib PosixPath, pathlib PurePosixPath"
_USELESS += ", pathlib WindowsPath, types SimpleNamespace"
"""What trainers leave among their notes: settings, places, times, curves. Nothing of it is built."""
_PLAIN: dict[tuple[str, str], object] = {
    **dict.fromkeys((("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter")), _empty_dict),
    **{tuple(name.split()): _nothing for name in _USELESS.split(", ")},  # type: ignore[misc]
    **{("torch", name): np.dtype(name) for name in _DTYPES.split()},
    **{("torch", name): _StorageType(dtype) for name, dtype in STORAGE_DTYPES.items()},
    ("torch.storage", "UntypedStorage"): _StorageType(STORAGE_DTYPES["UntypedStorage"]),
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
    ("builtins", "dict"): _empty_dict,  # what a defaultdict is made with
    ("__builtin__", "dict"): _empty_dict,
}
"""All that a checkpoint may name, besides what rebuilds tensors and the short formats."""


# The one in Python: C's takes memory by numbers in the file, and hashes any key, which takes for ever with nested tuples.
class TensorUnpickler(pickle._Unpickler):
    """Reads one pickle of a stream of `MAX_PICKLE_BYTES` at most.

    Args:
        stream: that is read; it stands behind the pickle afterwards.
        storages: gives the arrays that tensors are views of.
        path: what an error calls the file.
    """

    dispatch = {ord(code): pickle._Unpickler.dispatch[ord(code)] for code in (getattr(pickle, name) for name in _OPCODES.split())}
    stack: list  # these two are of pickle._Unpickler
    pop_mark: Callable[[], list]

    def __init__(self, stream: IO[bytes], storages: Storages, path: object) -> None:
        super().__init__(stream)
        self._storages, self._path, self._tensors = storages, path, 0

    def find_class(self, module: str, name: str) -> object:
        """What stands for a global of the file."""
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
            return self._rebuild_tensor
        known = _PLAIN.get((module, name))
        if known is not None:
            return known
        dtype = short_float({"BFloat16Storage": "bfloat16"}.get(name, name)) if module == "torch" else None
        if dtype is None:
            self._refuse(f"{module[:_QUOTED]}.{name[:_QUOTED]}")
        return _StorageType(dtype) if name.endswith("Storage") else dtype

    def persistent_load(self, pid: object) -> "np.ndarray | _Described":
        """The storage that a persistent id describes."""
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or not isinstance(pid[1], _StorageType) or not isinstance(pid[2], str):
            self._refuse("something else than a storage")
        kind, storage, key, _, count, *view = pid
        if kind != "storage" or type(count) is not int or not 0 <= count < 1 << 40:
            self._refuse("something else than a storage")
        if view and view[0] is not None:
            self._refuse("a view of a storage")
        values = self._storages(key, storage.dtype, count)
        return _Described() if values is None else values

    def _rebuild_tensor(self, storage: object, offset: int, size: tuple, stride: tuple, *rest: object) -> "np.ndarray | _Described":
        """A strided view, checked to lie inside its storage and to be no larger."""
        self._tensors += 1
        if self._tensors > MAX_TENSORS:
            raise ValueError(f"over {MAX_TENSORS:,} tensors")
        if not isinstance(storage, np.ndarray):
            if isinstance(storage, _Described):
                return storage
            raise ValueError("a tensor without storage")
        if len(rest) > 2 and isinstance(rest[2], np.dtype):  # of the formats that have no storage of their own
            storage = storage[: storage.size - storage.size % rest[2].itemsize].view(rest[2])
        return _view(storage, offset, size, stride)

    def load_reduce(self) -> None:
        """Calls one of the functions above, with few arguments: a long list could be handed over again and again."""
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple) or len(arguments) > _MAX_ARGUMENTS or not callable(self.stack[-1]):
            raise ValueError("a call of what is no function, or with too many arguments")
        self.stack[-1] = self.stack[-1](*arguments)

    def load_newobj(self) -> None:
        """An object of a class: of those that stand for nothing, nothing else is made so."""
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple) or self.stack[-1] is not _nothing:
            raise ValueError("an object of what is no class")
        self.stack[-1] = _nothing()

    def load_setitem(self) -> None:
        """One item of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        """Items of a dictionary."""
        self._set_items(self.pop_mark())

    def load_appends(self) -> None:
        """Items of a list."""
        items = self.pop_mark()
        self._list().extend(items)

    def load_append(self) -> None:
        """An item of a list."""
        value = self.stack.pop()
        self._list().append(value)

    def load_build(self) -> None:
        """What a state_dict has besides its items (`_metadata`) is of no use here."""
        self.stack.pop()
        if not isinstance(self.stack[-1], (dict, _Nothing)):
            self._refuse(f"a change of a {type(self.stack[-1]).__name__}")

    def _list(self) -> list:
        if not isinstance(self.stack[-1], list):
            raise ValueError("items for what is no list")
        return self.stack[-1]

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2 or not all(map(_is_name, items[::2])):
            raise ValueError("a dictionary's key is no name")
        target.update(zip(items[::2], items[1::2]))

    dispatch |= {ord(pickle.SETITEM): load_setitem, ord(pickle.SETITEMS): load_setitems, ord(pickle.BUILD): load_build}  # type: ignore[dict-item]
    dispatch |= {ord(pickle.APPEND): load_append, ord(pickle.APPENDS): load_appends, ord(pickle.REDUCE): load_reduce}  # type: ignore[dict-item]
    dispatch |= {ord(pickle.NEWOBJ): load_newobj}  # type: ignore[dict-item]

    def _refuse(self, what: str) -> NoReturn:
        raise CheckpointError(
            f"{self._path}: the file asks for {what}, which a checkpoint of tensors does not need: refused, nothing was run; "
            "re-save it as a plain state_dict or as .safetensors"
        )


class _Described:
    """A storage or tensor of which only the description was wanted."""


def _is_name(key: object) -> bool:
    return type(key) is str or (type(key) is int and 0 <= key < _MAX_NUMBER_KEY)


def _view(storage: np.ndarray, offset: int, size: tuple, stride: tuple) -> np.ndarray:
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or max(len(size), len(stride)) > _MAX_RANK:
        raise ValueError(f"a tensor of more than {_MAX_RANK} dimensions, or of none that can be read")
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 1 << 40 for n in (offset, *size, *stride)):
        raise ValueError("negative, unequal or too large sizes and strides")
    if 0 in size:
        return np.empty(size, storage.dtype)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if last >= storage.size or math.prod(size) > storage.size:
        raise ValueError("tensor outside its storage")
    return np.ndarray(size, storage.dtype, storage, offset * storage.itemsize, [s * storage.itemsize for s in stride])
