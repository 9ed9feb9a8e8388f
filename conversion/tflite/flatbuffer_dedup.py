"""A smaller .tflite of the same function: what is equal is stored once, and inner tensors lose their names.

An integer file of a small network is half bookkeeping: zero points (64-bit zeros, one for each channel of each weight),
scales, options of operations, empty buffers and names. The flatbuffer format lets any number of references lead to one
vector or table.
"""

from typing import Any

import flatbuffers
import numpy as np

from conversion.tflite.check import packed, parse_checked

ALIGNMENT = 16  # of weights, as the schema demands; the generated Python writer does not know it


def with_shared_vectors(data: bytes) -> bytes:
    """Rewrites a file; its operations, weights, metadata and the names of inputs and outputs stay.

    Args:
        data: a .tflite.

    Raises:
        ModelError: not a whole .tflite.
    """
    return packed_once(parse_checked(data, "converted model"), len(data))


def packed_once(model: Any, size: int) -> bytes:
    """As `with_shared_vectors`, of a `ModelT` of about `size` bytes, which it changes."""
    tables: dict[tuple, _Once] = {}
    for graph in model.subgraphs:
        named = {int(i) for i in (*graph.inputs, *graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            tensor.name = tensor.name if index in named else None
            tensor.quantization = _once(tensor.quantization, tables)
        for operator in graph.operators:
            operator.builtinOptions = _once(operator.builtinOptions, tables)
    _drop_empty_buffers(model)
    return packed(model, _SharingBuilder(size + (1 << 16)))


def _drop_empty_buffers(model: Any) -> None:
    """Buffer 0 is empty by the format's rule: tensors without constants can all use it."""
    full = [i for i, buffer in enumerate(model.buffers) if i == 0 or (buffer.data is not None and len(buffer.data))]
    place = {old: new for new, old in enumerate(full)}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = place.get(tensor.buffer, 0)
    for entry in model.metadata or []:
        entry.buffer = place.get(entry.buffer, 0)
    model.buffers = [model.buffers[i] for i in full]


class _Once:
    """A table that is written at its first use."""

    def __init__(self, table: Any) -> None:
        self._table, self._offset = table, 0  # 0 is no place in a finished table

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: D102, N802
        if not self._offset:
            self._offset = self._table.Pack(builder)
        return self._offset


def _once(table: Any, seen: dict[tuple, _Once]) -> _Once | None:
    if table is None:
        return None
    values = (v.tobytes() if isinstance(v, np.ndarray) else repr(v) for v in vars(table).values())
    return seen.setdefault((type(table).__name__, *values), _Once(table))


class _SharingBuilder(flatbuffers.Builder):
    """Writes a vector or string that it has written before as a reference to the first."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: D102, N802
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = self._bytes(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
        return self._written[key]

    def CreateString(self, s: str | bytes, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: D102, N802
        key = ("string", s.encode(encoding) if isinstance(s, str) else bytes(s))
        if key not in self._written:
            self._written[key] = super().CreateString(s, encoding, errors)
        return self._written[key]

    def _bytes(self, x: np.ndarray) -> int:
        self.StartVector(1, x.size, ALIGNMENT)
        self.head -= x.size
        self.Bytes[self.head : self.head + x.size] = x.tobytes()
        return self.EndVector()
