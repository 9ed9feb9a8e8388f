"""What is inside a .tflite file: tensors, operations and metadata, read and written without running it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.tflite.check import packed, parse_checked, read_checked
from conversion.tflite.names import operation_name, text_of, type_name
from keras_models.system.json_text import json_object

METADATA_NAME = "mobile_sr"
DISPATCH = "CUSTOM:DISPATCH_OP"
"""The operation of a file that was compiled for an NPU: it hands what the file holds to the NPU's driver, and nothing else runs it."""


@dataclass(frozen=True)
class Tensor:
    """One tensor: name, shape, dtype (TFLite's word, lower case), quantization (scales, zero points), bytes if constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    bytes: int

    @property
    def constant(self) -> bool:
        """True if the file holds its value."""
        return self.bytes > 0


@dataclass(frozen=True)
class Operation:
    """One operation: name (custom ones as "CUSTOM:name"), version and the indices of its tensors."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TFLiteFile:
    """The first subgraph of a file and what surrounds it."""

    path: Path
    size: int
    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    subgraphs: int
    metadata: dict[str, bytes]
    kinds: frozenset[str] = frozenset()
    """Names of the operations of all subgraphs."""

    @property
    def card(self) -> dict | None:
        """The project's own metadata, None in a foreign file."""
        return json_object(self.metadata.get(METADATA_NAME, b""))

    @property
    def compiled(self) -> bool:
        """Parts of it are for an NPU's driver alone (`conversion.npu`)."""
        return any(operation.name == DISPATCH for operation in self.operations)


def read_tflite(path: str | Path) -> TFLiteFile:
    """Reads a file's description.

    Raises:
        ModelError: no such file, not a TFLite flatbuffer, or cut off.
    """
    data, model = read_checked(path)
    graph = model.subgraphs[0]
    codes = [operation_name(code) for code in model.operatorCodes]
    return TFLiteFile(
        Path(path),
        len(data),
        tuple(_tensor(t, model.buffers) for t in graph.tensors),
        tuple(
            Operation(codes[op.opcodeIndex], model.operatorCodes[op.opcodeIndex].version, _tuple(op.inputs), _tuple(op.outputs))
            for op in graph.operators
        ),
        _tuple(graph.inputs),
        _tuple(graph.outputs),
        {text_of(s.signatureKey): (_names(s.inputs), _names(s.outputs)) for s in model.signatureDefs or []},
        len(model.subgraphs),
        {text_of(m.name): _bytes(model.buffers[m.buffer]) for m in model.metadata or []},
        frozenset(codes[op.opcodeIndex] for part in model.subgraphs for op in part.operators),
    )


def with_metadata(data: bytes, card: dict) -> bytes:
    """The same file with the card in its metadata buffer `mobile_sr` (an older one is replaced), its tensors named by the contract.

    Args:
        data: a .tflite.
        card: JSON-ready; the bytes depend on it alone (sorted keys, no date).
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "converted model")
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(card, sort_keys=True).encode(), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers) - 1
    graph = model.subgraphs[0]
    if len(graph.inputs) == len(graph.outputs) == 1:  # the converter's own names are serving_default_image:0 and a number
        graph.tensors[graph.inputs[0]].name, graph.tensors[graph.outputs[0]].name = "image", "upscaled"
        for signature in model.signatureDefs or []:
            signature.inputs[0].name, signature.outputs[0].name = "image", "upscaled"
    for signature in model.signatureDefs or []:
        for named in (*signature.inputs, *signature.outputs):
            graph.tensors[named.tensorIndex].name = named.name
    model.metadata = [m for m in model.metadata or [] if text_of(m.name) != METADATA_NAME] + [entry]
    return packed(model)


def _tensor(tensor: Any, buffers: list) -> Tensor:
    q = tensor.quantization
    scales = tuple(float(v) for v in q.scale) if q is not None and q.scale is not None else ()
    zeros = tuple(int(v) for v in q.zeroPoint) if q is not None and q.zeroPoint is not None else ()
    data = buffers[tensor.buffer].data
    return Tensor(text_of(tensor.name), _tuple(tensor.shape), type_name(tensor.type), scales, zeros, 0 if data is None else len(data))


def _names(maps: list | None) -> tuple[str, ...]:
    return tuple(text_of(m.name) for m in maps or [])


def _bytes(buffer: Any) -> bytes:
    return b"" if buffer.data is None else np.asarray(buffer.data, np.uint8).tobytes()


def _tuple(array: Any) -> tuple[int, ...]:
    return () if array is None else tuple(int(v) for v in np.atleast_1d(array))
