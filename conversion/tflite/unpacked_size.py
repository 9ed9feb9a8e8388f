"""What a .tflite becomes when it is unpacked, counted before it is: a flatbuffer's parts may all lead to one vector, table or name.

The generated readers tell by their methods what a table has: `XLength` and `X(number)` for a vector, `X()` for the rest. So the count
knows every table of the schema, also those that come with a new one.
"""

import functools
from collections.abc import Iterator
from typing import Any

MAX_TABLES = 20_000
"""Tensors, operations, their options, buffers and more, each as often as something leads to it; the shipped network has 1,400."""
MAX_DESCRIPTION_BYTES = 8 << 20
"""Of names, shapes, scales and indices, as often as something leads to them; the shipped int8 networks have a hundredth."""
MAX_METADATA_BYTES = 16 << 20
_SEEN_DEPTH = 16
"""Tables within tables; the schema has six."""


def too_large(model: Any) -> str | None:
    """Why a model may not be unpacked; None if it may.

    Args:
        model: the schema's reader `Model`. Offsets that lead out of the file raise what flatbuffers raises.
    """
    left = _Left()
    left.table(model, 0)
    if left.problem is None:
        entries = (model.Metadata(number) for number in range(model.MetadataLength()))
        places = [entry.Buffer() for entry in entries]
        if sum(model.Buffers(place).DataLength() for place in places if place < model.BuffersLength()) > MAX_METADATA_BYTES:
            return f"its metadata unpacks to over {MAX_METADATA_BYTES:,} bytes"
    return left.problem


class _Left:
    """What may still be spent."""

    def __init__(self) -> None:
        self.tables, self.bytes = MAX_TABLES, MAX_DESCRIPTION_BYTES
        self.problem: str | None = None

    def table(self, table: Any, depth: int) -> None:
        """Spends a table and all below it, until something is used up."""
        self.tables -= 1
        if self.tables < 0:
            self.problem = f"it has over {MAX_TABLES:,} parts"
        elif depth > _SEEN_DEPTH:
            self.problem = f"it has parts within parts, over {_SEEN_DEPTH} deep"
        for part in _parts(table) if self.problem is None else ():
            if isinstance(part, int):
                self.bytes -= part
                if self.bytes < 0:
                    self.problem = f"its names, shapes and scales unpack to over {MAX_DESCRIPTION_BYTES:,} bytes"
            else:
                self.table(part, depth + 1)
            if self.problem is not None:
                return


def _parts(table: Any) -> Iterator[Any]:
    """Tables below a table, one by one; for names and vectors of numbers their bytes."""
    kind = type(table)
    vectors, numbers, singles = _fields(kind.__name__)
    for name in vectors:
        for number in range(getattr(table, f"{name}Length")()):
            part = getattr(table, name)(number)
            yield len(part) + 1 if isinstance(part, bytes) else part
    for name in numbers:
        if kind.__name__ != "Buffer":  # weights stay where they are
            values = getattr(table, f"{name}AsNumpy")()
            yield getattr(values, "nbytes", 0)
    for name in singles:
        part = getattr(table, name)()
        if isinstance(part, bytes):
            yield len(part)
        elif hasattr(part, "_tab"):
            yield part
        elif hasattr(part, "Bytes"):  # one of several kinds; another field says which
            read = _of_union(name, getattr(table, f"{name}Type")())
            if read is not None:
                read.Init(part.Bytes, part.Pos)
                yield read


@functools.cache
def _fields(reader: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of a reader's vectors of tables or texts, of its vectors of numbers, and of everything else."""
    from ai_edge_litert import schema_py_generated as schema

    kind = getattr(schema, reader)
    methods = [name for name, what in vars(kind).items() if callable(what) and name[0].isupper()]
    vectors = [name.removesuffix("Length") for name in methods if name.endswith("Length")]
    numbers = [name for name in vectors if f"{name}AsNumpy" in methods]
    helpers = {f"{name}{what}" for name in vectors for what in ("", "Length", "AsNumpy", "IsNone", "AsXFBShape")}
    singles = [name for name in methods if name not in helpers and name != "Init" and _takes_nothing(getattr(kind, name))]
    return tuple(name for name in vectors if name not in numbers), tuple(numbers), tuple(singles)


def _takes_nothing(method: Any) -> bool:
    code = getattr(method, "__code__", None)
    return code is not None and code.co_argcount == 1


def _of_union(field: str, kind: int) -> Any:
    """An empty reader of the table that a union holds; None for none."""
    from ai_edge_litert import schema_py_generated as schema

    unions = {"Details": "QuantizationDetails", "ArraySegments": "SparseIndexVector", "ArrayIndices": "SparseIndexVector"}
    names = {value: name for name, value in vars(getattr(schema, unions.get(field, field), object)).items() if isinstance(value, int)}
    reader = getattr(schema, names.get(kind, ""), None)
    return reader() if reader is not None else None
