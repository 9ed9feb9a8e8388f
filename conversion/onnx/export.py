"""Our own networks as ONNX: the deploy graph, node by node, with free batch, height and width, in the standard's opset 20."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.graph.exact_rewrites import clip_output
from conversion.graph.half_range import within_half_range
from conversion.graph.ir import Graph, Node, graph_of
from conversion.model_card import sha256_of, source_facts, source_of
from conversion.onnx.load import OPSET
from conversion.onnx.rescaling import open_session
from keras_models.checkpoints.loading import load_model
from keras_models.folding import fold
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

TOLERANCE = 2e-5
CALIBRATION_SIDE = 64


def export_onnx(model: str | Path, target: str | Path, calibration: str | Path | None = None) -> float:
    """Writes a network as ONNX: "image" [n, 3, h, w] float32 in [0, 1] to "upscaled" [n, 3, s*h, s*w], clipped to [0, 1].

    It is the deploy form with the powers of two that keep its intermediates inside half precision; its metadata entry
    `mobile_sr` (JSON) says what it is.

    Args:
        model: preset name, .keras file or checkpoint; a training form is folded first.
        target: an .onnx.
        calibration: folder of photos that ranges are measured on, besides the built-in images.

    Returns:
        Largest difference to Keras on images of another size, through onnxruntime.

    Raises:
        ConversionError: an operation without a counterpart, or a file that computes something else.
    """
    deploy = fold(load_model(model))
    side = (CALIBRATION_SIDE, CALIBRATION_SIDE)
    images = synthetic_images(*side) + (photo_crops(calibration, *side) if calibration is not None else [])
    graph = graph_of(deploy)
    clip_output(graph)
    proto = onnx_model(within_half_range(graph, images))
    helper.set_model_props(proto, {"mobile_sr": json.dumps(_facts(model, deploy), sort_keys=True)})
    error = _difference(deploy, proto)
    if not error <= TOLERANCE:
        raise ConversionError(f"{target}: the exported file differs from {model} by {error:.2g}: report the network")
    with atomic_output(target) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
    return error


def onnx_model(graph: Graph) -> onnx.ModelProto:
    """A graph of NHWC operations as a checked ONNX model, channels first.

    Raises:
        ConversionError: an operation that has no counterpart here.
    """
    writer = _Writer()
    names: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.op == "input":
            names[node.name] = "image"
            channels = node.shape[-1]
        elif node.op in EMIT:
            names[node.name] = EMIT[node.op](writer, node, [names[i] for i in node.inputs])
        else:
            raise ConversionError(f"{node.name}: {node.op} has no ONNX counterpart here: export the float network")
    writer.nodes[-1].output[0] = "upscaled"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, "h", "w"])
    result = helper.make_tensor_value_info("upscaled", TensorProto.FLOAT, ["n", graph.output.shape[-1], "h_up", "w_up"])
    body = helper.make_graph(writer.nodes, "super_resolution", [image], [result], writer.constants)
    # Version 10 came with opset 20's generation; newer ones shut older runtimes out.
    proto = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10, producer_name="mobile-sr")
    onnx.checker.check_model(proto, full_check=True)
    return proto


class _Writer:
    """ONNX nodes and constants as they come, each tensor under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        """Adds a node; the name of its output."""
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: np.ndarray | np.generic) -> str:
        """Adds a constant; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name


def _conv(writer: _Writer, node: Node, inputs: list[str]) -> str:
    kernel, dilation = node.weights["kernel"], node.attrs.get("dilation", 1)
    depthwise = node.op == "depthwise_conv2d"
    weight = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    total = [dilation * (k - 1) for k in kernel.shape[:2]]  # "same" puts the odd pixel of an even kernel behind
    pads = [t // 2 for t in total] + [t - t // 2 for t in total]
    arrays = [weight] + ([node.weights["bias"]] if "bias" in node.weights else [])
    group = len(weight) if depthwise else 1
    names = [writer.constant(a.astype(np.float32)) for a in arrays]
    return writer.add("Conv", inputs + names, kernel_shape=kernel.shape[:2], pads=pads, dilations=[dilation] * 2, group=group)


def _norm(writer: _Writer, node: Node, inputs: list[str]) -> str:
    # A centred input is normalised the same way: its mean is zero.
    last = writer.add("Transpose", inputs, perm=[0, 2, 3, 1])
    affine = [writer.constant(node.weights[key]) for key in ("gamma", "beta")]
    normal = writer.add("LayerNormalization", [last, *affine], axis=-1, epsilon=float(node.attrs["epsilon"]))
    return writer.add("Transpose", [normal], perm=[0, 3, 1, 2])


def _contrast(writer: _Writer, node: Node, inputs: list[str]) -> str:
    mean = _image_mean(writer, inputs[0])
    centred = writer.add("Sub", [inputs[0], mean])
    variance = _image_mean(writer, writer.add("Mul", [centred, centred]))
    shifted = writer.add("Add", [variance, writer.constant(np.float32(node.attrs["epsilon"]))])
    return writer.add("Add", [mean, writer.add("Sqrt", [shifted])])


def _image_mean(writer: _Writer, x: str) -> str:
    # Rows first, as in Keras: half precision would lose the small addends of one long sum.
    return _reduce("ReduceMean", 2)(writer, None, [_reduce("ReduceMean", 3)(writer, None, [x])])


def _reduce(op: str, axis: int) -> Callable:
    return lambda writer, _, inputs: writer.add(op, [*inputs, writer.constant(np.array([axis], np.int64))], keepdims=1)


def _plain(op: str, **attributes: object) -> Callable:
    return lambda writer, _, inputs: writer.add(op, inputs, **attributes)


EMIT: dict[str, Callable[[_Writer, Node, list[str]], str]] = {
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "pixel_norm": _norm,
    "contrast": _contrast,
    "gelu": lambda writer, node, inputs: writer.add("Gelu", inputs, approximate="tanh" if node.attrs["approximate"] else "none"),
    "leaky_relu": lambda writer, node, inputs: writer.add("LeakyRelu", inputs, alpha=float(node.attrs["slope"])),
    "relu": _plain("Relu"),
    "sigmoid": _plain("Sigmoid"),
    "channel_mean": _reduce("ReduceMean", 1),
    "channel_max": _reduce("ReduceMax", 1),
    "add": _plain("Add"),
    "multiply": _plain("Mul"),
    "concatenate": _plain("Concat", axis=1),
    "depth_to_space": lambda writer, node, inputs: writer.add("DepthToSpace", inputs, blocksize=node.attrs["scale"], mode="DCR"),
    "clip": lambda writer, node, inputs: writer.add(
        "Clip", [*inputs, *(writer.constant(np.float32(node.attrs[key])) for key in ("low", "high"))]
    ),
}
"""Operation of `conversion.graph.ir` -> its ONNX nodes; gives the name of the result."""


def _difference(deploy: keras.Model, proto: onnx.ModelProto) -> float:
    session = open_session(proto.SerializeToString())
    largest = 0.0
    for image in synthetic_images(24, 40, seed=1)[1:6]:
        made = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)
        expected = keras.ops.convert_to_numpy(deploy(image)).clip(0, 1)
        largest = max(largest, float(np.abs(made - expected).max()))
    return largest


def _facts(model: str | Path, deploy: keras.Model) -> dict:
    source = source_of(model)
    beside = source_facts(source)
    return {
        "name": deploy.name,
        "family": type(deploy).__name__,
        "scale": deploy.scale,
        "halo": deploy.halo,
        "receptive_radius": deploy.receptive_radius,
        "range": [0.0, 1.0],
        "source": source.name,
        "source_sha256": sha256_of(source),
        "parameters": deploy.count_params(),
        "licence": beside.get("licence", "unknown"),
        "credit": beside.get("credit", "unknown"),
    }
