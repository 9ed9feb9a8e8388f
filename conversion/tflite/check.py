"""Checks that a .tflite is whole before native code sees it: LiteRT's C++ reads a damaged file without looking and can crash."""

import struct
from pathlib import Path
from typing import Any

import flatbuffers

from conversion.tflite.unpacked_size import too_large
from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.errors import ModelError

_MAX_RANK = 8


def read_checked(path: str | Path) -> tuple[bytes, Any]:
    """Reads a file and refuses one that is no TFLite flatbuffer, is cut off, or points outside of itself.

    Args:
        path: the file.

    Returns:
        Its bytes, and the model as LiteRT's object API `ModelT`.

    Raises:
        ModelError: what is wrong with the file, on one line.
    """
    try:
        if (size := Path(path).stat().st_size) > MAX_BYTES:
            raise ModelError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read of a .tflite")
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file: check the path, or list the presets with `mobile-sr models`") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}): give a .tflite file") from error
    return data, parse_checked(data, str(path))


def parse_checked(data: bytes, source: str) -> Any:
    """As `read_checked`, for bytes; `source` is what an error calls them."""
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != b"TFL3":
        raise ModelError(f"{source}: not a TFLite file (no TFL3 mark at its start): give a .tflite, or convert the model first")
    try:
        large = too_large(schema.Model.GetRootAs(data, 0))
        if large:
            raise ModelError(f"{source}: {large}: no network for phones has that, give another file")
        model: Any = schema.ModelT.InitFromPackedBuf(data, 0)
        problem = _wrong_index(model, len(data))
    # What the flatbuffers reader raises when an offset or a length leads out of the file, or a string is none.
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        problem = f"an offset leads out of its {len(data)} bytes ({type(error).__name__})"
    if problem:
        raise ModelError(f"{source}: damaged or cut off: {problem}: download or convert it again")
    for graph in model.subgraphs:
        for part in ("tensors", "operators", "inputs", "outputs"):
            if getattr(graph, part) is None:  # an absent vector is an empty one
                setattr(graph, part, [])
    return model


def packed(model: Any, builder: flatbuffers.Builder | None = None) -> bytes:
    """The inverse of `parse_checked`: the bytes of a `ModelT`, written by another builder than the stock one if given."""
    builder = builder or flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _wrong_index(model: Any, file_bytes: int) -> str | None:
    """Say which reference inside of the model points to nothing; None if all is well."""
    from ai_edge_litert import schema_py_generated as schema

    if not model.subgraphs or not model.buffers or not model.operatorCodes:
        return "it has no graph"
    known_types = set(_values(schema.TensorType))
    for entry in model.metadata or []:
        if not 0 <= entry.buffer < len(model.buffers):
            return f"a metadata entry uses buffer {entry.buffer} of {len(model.buffers)}"
    for buffer in model.buffers:
        if (buffer.offset or 0) + (buffer.size or 0) > file_bytes:
            return f"a weight buffer ends at byte {buffer.offset + buffer.size} of {file_bytes}"
    for graph in model.subgraphs:
        tensors = graph.tensors if graph.tensors is not None else []
        for tensor in tensors:
            if not 0 <= tensor.buffer < len(model.buffers):
                return f"a tensor uses buffer {tensor.buffer} of {len(model.buffers)}"
            if tensor.type not in known_types or (tensor.shape is not None and len(tensor.shape) > _MAX_RANK):
                return f"a tensor has type {tensor.type} and rank {0 if tensor.shape is None else len(tensor.shape)}"
        for operator in graph.operators if graph.operators is not None else []:
            if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
                return f"an operator uses code {operator.opcodeIndex} of {len(model.operatorCodes)}"
            if not _all_in(operator.inputs, len(tensors), -1) or not _all_in(operator.outputs, len(tensors), 0):
                return f"an operator uses a tensor that is not among the {len(tensors)}"
        if not _all_in(graph.inputs, len(tensors), 0) or not _all_in(graph.outputs, len(tensors), 0):
            return f"the graph's inputs or outputs are not among its {len(tensors)} tensors"
    return None


def _values(names: type) -> list[int]:
    return [value for value in vars(names).values() if isinstance(value, int)]


def _all_in(indices: Any, count: int, lowest: int) -> bool:
    return all(lowest <= int(index) < count for index in (indices if indices is not None else []))
