"""What an .onnx is: inputs, outputs, operations, weights and opset, read without running it."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_models.system.errors import printable

REPORT_VERSION = 1


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output: name, shape (a free side is its name, or "?"), dtype."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    def as_text(self) -> str:
        """One line."""
        return f"{self.name} [{', '.join(map(str, self.shape))}] {self.dtype}"


@dataclass(frozen=True)
class OnnxInspection:
    """Everything that can be told of an .onnx without running it.

    Attributes:
        file: its name.
        size: bytes of the file itself.
        producer: who wrote it.
        opsets: domain -> version; the standard one is "ai.onnx".
        inputs: that are no weights.
        outputs: of the graph.
        operations: name -> how often, those of branches and loops too.
        weights_bytes: bytes of weights by dtype.
        version: of this schema.
    """

    file: str
    size: int
    producer: str
    opsets: dict[str, int]
    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    operations: dict[str, int]
    weights_bytes: dict[str, int]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """The same for people."""
        counts = ", ".join(f"{count} {name}" for name, count in self.operations.items())
        lines = [
            f"{self.file}: {self.size:,} bytes, ONNX by {self.producer or 'an unnamed exporter'}",
            f"opset      {', '.join(f'{domain} {version}' for domain, version in self.opsets.items())}",
            *(f"input      {tensor.as_text()}" for tensor in self.inputs),
            *(f"output     {tensor.as_text()}" for tensor in self.outputs),
            f"operations {sum(self.operations.values())}: {counts}",
            f"weights    {', '.join(f'{n:,} bytes {d}' for d, n in self.weights_bytes.items()) or 'none'}",
        ]
        return "\n".join(map(printable, lines))


def inspect_onnx(path: str | Path) -> OnnxInspection:
    """Reads everything back from any .onnx.

    Raises:
        ModelError: not a readable .onnx.
    """
    import onnx

    from conversion.onnx.load import read_onnx

    path = Path(path)
    model = read_onnx(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    sizes: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        sizes[_dtype(onnx, tensor.data_type)] += len(tensor.raw_data) or tensor.ByteSize()
    return OnnxInspection(
        file=path.name,
        size=path.stat().st_size,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
        opsets={told.domain or "ai.onnx": told.version for told in model.opset_import},
        inputs=tuple(_tensor(onnx, told) for told in model.graph.input if told.name not in stored),
        outputs=tuple(_tensor(onnx, told) for told in model.graph.output),
        operations=dict(_operations(model.graph).most_common()),
        weights_bytes=dict(sizes.most_common()),
    )


def _operations(graph: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    waiting = [graph]
    while waiting:
        part = waiting.pop()
        for node in part.node:
            found[f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type] += 1
            waiting += [inner for attribute in node.attribute for inner in (attribute.g, *attribute.graphs) if inner.node]
    return found


def _tensor(onnx: Any, told: Any) -> OnnxTensor:
    kind = told.type.tensor_type
    sides = tuple(side.dim_value if side.HasField("dim_value") else side.dim_param or "?" for side in kind.shape.dim)
    return OnnxTensor(told.name, sides, _dtype(onnx, kind.elem_type))


def _dtype(onnx: Any, number: int) -> str:
    return onnx.TensorProto.DataType.Name(number).lower() if number in onnx.TensorProto.DataType.values() else f"type {number}"
