"""Any image network's ONNX brought into one form: float32, channels first, RGB (or brightness) in [0, 1]; and the untouched file run alike.

What is added are a few plain operations at both ends; the comparison with the untouched file shows that it stays the same network.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from conversion.engines.values import PLAIN, RANGES, Values
from conversion.onnx.rescaling import open_session
from keras_models.system.errors import ConversionError, one_line

_WIDTHS = {TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64}
_TAKEN = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8, **_WIDTHS}


@dataclass(frozen=True)
class Form:
    """How a file wants its image.

    Attributes:
        channels_first: [1, c, h, w] in, else [1, h, w, c].
        result_channels_first: the same of what comes out.
        channels: 3, or 1 for brightness.
        dtype: of what goes in.
        bytes_out: what comes out are bytes.
    """

    channels_first: bool
    result_channels_first: bool
    channels: int
    dtype: np.dtype
    bytes_out: bool

    @property
    def likely(self) -> Values:
        """The values that the tensors' types say."""
        return Values("0..255" if self.dtype == np.uint8 else "0..1", "0..255" if self.bytes_out else "0..1")

    @property
    def tolerance(self) -> float:
        """How far another arithmetic may be from the file's own, of the output's range: half precision, and bytes, round."""
        return 1.01 / 255 if np.uint8 in (self.dtype, self.bytes_out and np.uint8) else 5e-3 if self.dtype == np.float16 else 1e-4


def form_of(model: onnx.ModelProto, path: str | Path) -> Form:
    """What the graph's input and output say.

    Raises:
        ConversionError: not one image in and one out, of three channels or one.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    images = [i for i in model.graph.input if i.name not in constants]
    if len(images) != 1 or len(model.graph.output) != 1:
        raise ConversionError(f"{path}: {len(images)} inputs, {len(model.graph.output)} outputs: need one image in and one out")
    kind, given = (value.type.tensor_type for value in (images[0], model.graph.output[0]))
    if kind.elem_type not in _TAKEN:
        raise ConversionError(f"{path}: its input is {TensorProto.DataType.Name(kind.elem_type)}: export it with float values, or bytes")
    shape = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim]
    if len(shape) != 4 or shape[0] not in (1, None):
        said = "x".join(str(side or "?") for side in shape)
        raise ConversionError(f"{path}: its input is {said}: need one image, 1 x channels x height x width")
    for first, channels in ((True, shape[1]), (False, shape[3]), (True, 3 if shape[1] is None else None)):
        if channels in (1, 3):
            result = [d.dim_value if d.HasField("dim_value") else None for d in given.shape.dim]
            result_first = first if len(result) != 4 or (result[1] != channels) == (result[3] != channels) else result[1] == channels
            return Form(first, result_first, channels, np.dtype(_TAKEN[kind.elem_type]), given.elem_type == TensorProto.UINT8)
    raise ConversionError(f"{path}: its input is {'x'.join(str(s or '?') for s in shape)}: need 3 channels, or 1, first or last")


class Untouched:
    """The file itself in onnxruntime, on (h, w, c) float32 of its own values."""

    def __init__(self, path: str | Path, form: Form) -> None:
        self.path, self.form = path, form
        try:
            self._session = open_session(str(path))
        except Exception as error:  # onnxruntime raises a dozen types of its own
            raise ConversionError(f"{path}: onnxruntime cannot open it ({one_line(error)}): export it again") from None

    def infer(self, image: np.ndarray) -> np.ndarray:
        """(s h, s w, c) float32.

        Raises:
            ConversionError: onnxruntime fails.
        """
        if self.form.dtype == np.uint8:
            image = np.rint(image).clip(0, 255)
        given = image.transpose(2, 0, 1)[None] if self.form.channels_first else image[None]
        name = self._session.get_inputs()[0].name
        try:
            made = np.asarray(self._session.run(None, {name: np.ascontiguousarray(given, self.form.dtype)})[0], np.float32)
        except Exception as error:  # onnxruntime's own
            said = one_line(error)
            size = "x".join(str(side) for side in given.shape)
            raise ConversionError(f"{self.path}: onnxruntime cannot run it on {size} ({said}): export it again") from None
        if made.ndim != 4 or made.shape[0] != 1:
            shape = "x".join(map(str, made.shape))
            raise ConversionError(f"{self.path}: it makes {shape} of an image: not super-resolution by a whole number")
        return made[0].transpose(1, 2, 0) if self.form.result_channels_first else made[0]


def canonical(model: onnx.ModelProto, form: Form, values: Values = PLAIN) -> None:
    """Changes a model so that it takes and gives float32, channels first, in [0, 1].

    Args:
        model: changed in place; its input keeps the sides' sizes.
        form: of it.
        values: that it takes and gives.
    """
    graph = model.graph
    del graph.value_info[:]
    _float32(model)
    (image,), (result,) = [i for i in graph.input if i.name not in {t.name for t in graph.initializer}], graph.output
    first = _entry(form, values)
    if first:
        name, image.name = image.name, f"{image.name}_canonical"
        graph_nodes = list(graph.node)
        del graph.node[:]
        graph.node.extend(_chain(graph, first, image.name, name))
        graph.node.extend(graph_nodes)
    if not form.channels_first:
        dims = [onnx.TensorShapeProto.Dimension() for _ in range(4)]
        for dim, index in zip(dims, (0, 3, 1, 2)):
            dim.CopyFrom(image.type.tensor_type.shape.dim[index])
        del image.type.tensor_type.shape.dim[:]
        image.type.tensor_type.shape.dim.extend(dims)
    last = _exit(form, values)
    if last:
        name, result.name = result.name, f"{result.name}_canonical"
        graph.node.extend(_chain(graph, last, name, result.name))
    result.type.tensor_type.ClearField("shape")


def _entry(form: Form, values: Values) -> list[tuple[str, dict, np.ndarray | None]]:
    """Operations from the canonical image to the file's own."""
    low, high = RANGES[values.taken]
    steps: list[tuple[str, dict, np.ndarray | None]] = []
    if any(values.mean):
        steps.append(("Sub", {}, np.array(values.mean[: form.channels], np.float32).reshape(-1, 1, 1)))
        steps.append(("Div", {}, np.array(values.deviation[: form.channels], np.float32).reshape(-1, 1, 1)))
    if values.swapped_in:
        steps.append(("Conv", {}, np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1)))
    if high - low != 1:
        steps.append(("Mul", {}, np.array(high - low, np.float32)))
    if low:
        steps.append(("Add", {}, np.array(low, np.float32)))
    if not form.channels_first:
        steps.append(("Transpose", {"perm": [0, 2, 3, 1]}, None))
    return steps


def _exit(form: Form, values: Values) -> list[tuple[str, dict, np.ndarray | None]]:
    low, high = RANGES[values.given]
    steps: list[tuple[str, dict, np.ndarray | None]] = []
    if not form.result_channels_first:
        steps.append(("Transpose", {"perm": [0, 3, 1, 2]}, None))
    if low:
        steps.append(("Sub", {}, np.array(low, np.float32)))
    if high - low != 1:
        steps.append(("Mul", {}, np.array(1 / (high - low), np.float32)))
    if values.swapped_out:
        steps.append(("Conv", {}, np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1)))
    return steps


def _chain(graph: onnx.GraphProto, steps: list[tuple[str, dict, np.ndarray | None]], source: str, target: str) -> list[onnx.NodeProto]:
    nodes = []
    for index, (op, attributes, constant) in enumerate(steps):
        made = target if index == len(steps) - 1 else f"{target}_{index}_canonical"
        inputs = [source]
        if constant is not None:
            held = f"{made}_constant"
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(constant), held))
            inputs.append(held)
        nodes.append(helper.make_node(op, inputs, [made], **attributes))
        source = made
    return nodes


def _float32(model: onnx.ModelProto) -> None:
    """Makes half, double and byte tensors float32."""
    graph = model.graph
    for held in (*graph.input, *graph.output):
        if held.type.tensor_type.elem_type in (*_WIDTHS, TensorProto.UINT8):
            held.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in graph.initializer:
        _widen(tensor)
    makers = {name: node for node in graph.node for name in node.output}
    results = {value.name for value in graph.output}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen(attribute.t)
            if attribute.name in ("to", "dtype") and attribute.i in _WIDTHS:
                attribute.i = TensorProto.FLOAT
            # The last step to bytes: what is given are the numbers before.
            if node.op_type == "Cast" and attribute.i == TensorProto.UINT8 and results & {*node.output}:
                attribute.i = TensorProto.FLOAT
                before = makers.get(node.input[0])
                if before is not None and before.op_type == "Round":
                    node.input[0] = before.input[0]


def _widen(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _WIDTHS:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
