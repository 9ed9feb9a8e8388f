"""What a .tflite is, as one object: tensors, operations, quantization, partitions, contract and metadata."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.known import remembered_view
from conversion.engines.proof import declared_view
from conversion.engines.view import View
from conversion.gpu.ops import check_gpu
from conversion.gpu.published import Taker, published_takers
from conversion.npu.support import NpuSupport, npu_support
from conversion.tflite.file import Tensor, TFLiteFile, read_tflite
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.errors import printable

REPORT_VERSION = 4


@dataclass(frozen=True)
class TensorReport:
    """An input or output: name in the signature, shape, dtype, quantization (scale, zero point) or None."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: tuple[float, int] | None


@dataclass(frozen=True)
class Inspection:
    """Everything that can be told of a file without an image.

    Attributes:
        file: its name.
        size: bytes.
        scale: upscaling factor, None if the shapes do not look like super-resolution.
        inputs: the graph's inputs.
        outputs: the graph's outputs.
        signatures: key -> (input names, output names).
        operations: name -> how often.
        dtypes: dtype -> number of tensors that are computed (not constants).
        weights_bytes: bytes of constants by dtype.
        max_rank: largest rank of any tensor.
        cpu_partitions: pieces that XNNPACK runs it in; 1 is whole, 0 a file that was compiled for an NPU and runs on no CPU.
        gpu_compatible: a phone's GPU would take all of it.
        gpu_reasons: why not.
        gpu_table: version and source of the operator table behind the verdict.
        takers: what OpenGL and makers of NPU compilers publish of its operations.
        npu: whether a Snapdragon's NPU would take all of it; None if that was not asked for.
        halo: real pixels around a tile that it needs, by its card or an earlier run; None if nobody has measured it.
        stride: a tile starts at a multiple of it.
        card: the project's metadata, None in a foreign file.
        metadata: names of all metadata entries.
        version: of this schema.
    """

    file: str
    size: int
    scale: int | None
    inputs: tuple[TensorReport, ...]
    outputs: tuple[TensorReport, ...]
    signatures: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    operations: dict[str, int]
    dtypes: dict[str, int]
    weights_bytes: dict[str, int]
    max_rank: int
    cpu_partitions: int
    gpu_compatible: bool
    gpu_reasons: tuple[str, ...]
    gpu_table: str
    takers: tuple[Taker, ...]
    npu: NpuSupport | None
    halo: int | None
    stride: int | None
    card: dict | None
    metadata: tuple[str, ...]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """The same for people."""
        counts = ", ".join(f"{count} {name}" for name, count in self.operations.items())
        lines = [
            f"{self.file}: {self.size:,} bytes, {self._kind()}",
            *(f"input      {_tensor_line(t)}" for t in self.inputs),
            *(f"output     {_tensor_line(t)}" for t in self.outputs),
            *(f"signature  {key}: {', '.join(ins)} -> {', '.join(outs)}" for key, (ins, outs) in self.signatures.items()),
            f"operations {sum(self.operations.values())}: {counts}",
            f"computed   {', '.join(f'{n} {d}' for d, n in self.dtypes.items())}; highest rank {self.max_rank}",
            f"constants  {', '.join(f'{n:,} bytes {d}' for d, n in self.weights_bytes.items()) or 'none'}",
            f"CPU        {self._cpu()}",
            f"GPU        {'compatible' if self.gpu_compatible else 'NOT compatible'} by operator table {self.gpu_table}",
            *(f"GPU        {reason}" for reason in self.gpu_reasons),
            *(taker.as_text() for taker in self.takers),
            *([f"NPU        {self.npu.as_text()}"] if self.npu else []),
            f"tiles      {self._tiles()}",
        ]
        if self.card is None:
            lines.append(f"metadata   no mobile_sr card ({', '.join(self.metadata) or 'none at all'})")
        else:
            lines += [f"card       {key}: {value}" for key, value in self.card.items()]
        return "\n".join(map(printable, lines))

    def _kind(self) -> str:
        if self.scale:
            return f"super-resolution x{self.scale}"
        free = len(self.inputs) == 1 and self.inputs[0].shape[1:3] == (1, 1)
        return "images of any size, its scale shows when it runs" if free else "not super-resolution"

    def _cpu(self) -> str:
        if not self.cpu_partitions:
            return "none: compiled for an NPU, which alone can run it"
        return "one XNNPACK partition" if self.cpu_partitions == 1 else f"{self.cpu_partitions} partitions"

    def _tiles(self) -> str:
        if self.halo is None:
            return "not measured yet: `mobile-sr verify` does"
        if self.halo >= UNBOUNDED_HALO:
            return "none: the result depends on the whole image, or on a pixel's place in it"
        return f"{self.halo} pixels around them, from multiples of {self.stride}"


def _view(file: TFLiteFile) -> View | None:
    halo, stride = declared_view(file.card or {})
    return View(halo, stride) if halo is not None else remembered_view(file.path)


def inspect_tflite(path: str | Path, npu: bool = False) -> Inspection:
    """Reads everything back from any .tflite.

    Args:
        path: the file.
        npu: ask Qualcomm's compiler too, which takes a second where it is installed.

    Raises:
        ModelError: not a readable .tflite.

    Example:
        >>> import conversion
        >>> found = conversion.inspect(conversion.ModelSource.of("lkdn-s-x4").tflite())
        >>> found.scale, found.gpu_compatible
        (4, True)
    """
    file = read_tflite(path)
    view = _view(file)
    gpu = check_gpu(path)
    sizes: Counter[str] = Counter()
    for tensor in file.tensors:
        if tensor.constant:
            sizes[tensor.dtype] += tensor.bytes
    return Inspection(
        file=file.path.name,
        size=file.size,
        scale=_scale(file),
        inputs=tuple(_report(file.tensors[i]) for i in file.inputs),
        outputs=tuple(_report(file.tensors[i]) for i in file.outputs),
        signatures=file.signatures,
        operations=dict(Counter(op.name for op in file.operations).most_common()),
        dtypes=dict(Counter(t.dtype for t in file.tensors if not t.constant).most_common()),
        weights_bytes=dict(sizes.most_common()),
        max_rank=max((len(t.shape) for t in file.tensors), default=0),
        cpu_partitions=0 if file.compiled else cpu_partitions(path),
        gpu_compatible=gpu.compatible,
        gpu_reasons=gpu.reasons,
        gpu_table=gpu.table,
        takers=published_takers(path),
        npu=npu_support(path) if npu and not file.compiled else None,
        halo=view.halo if view else None,
        stride=view.stride if view else None,
        card=file.card,
        metadata=tuple(file.metadata),
    )


def _scale(file: TFLiteFile) -> int | None:
    if len(file.inputs) != 1 or len(file.outputs) != 1:
        return None
    source, result = (file.tensors[i].shape for i in (file.inputs[0], file.outputs[0]))
    if len(source) != 4 or len(result) != 4 or source[-1] not in (1, 3) or result[-1] != source[-1] or not source[1] or not source[2]:
        return None
    if source[1:3] == (1, 1):  # of a free size, which is stored as 1: its output's is as well
        return None
    scale = result[1] // source[1]
    return scale if scale and result[1:3] == (source[1] * scale, source[2] * scale) else None


def _report(tensor: Tensor) -> TensorReport:
    quantization = (tensor.scales[0], tensor.zero_points[0]) if tensor.scales and tensor.zero_points else None
    return TensorReport(tensor.name, tensor.shape, tensor.dtype, quantization)


def _tensor_line(tensor: TensorReport) -> str:
    quantized = f", scale {tensor.quantization[0]:g}, zero point {tensor.quantization[1]}" if tensor.quantization else ""
    return f"{tensor.name} {list(tensor.shape)} {tensor.dtype}{quantized}"
