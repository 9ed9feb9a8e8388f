"""How operations are written as ONNX, channels first: functions of (writer, node, input names) that give the result's name.

The writer is `conversion.onnx.export.Writer`; opset 20.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from conversion.graph.ir import Node


class Writer(Protocol):
    """Takes nodes and constants as they come."""

    def add(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        """Adds a node; the name of its output."""

    def constant(self, value: np.ndarray | np.generic) -> str:
        """Adds a constant; its name."""


Form = Callable[[Any, Node, list[str]], str]


def plain(op: str, **attributes: object) -> Form:
    """An operation of the same inputs and fixed attributes."""
    return lambda writer, node, inputs: writer.add(op, inputs, **attributes)


def reduction(op: str, axis: int) -> Form:
    """A reduction of one axis that keeps it."""
    return lambda writer, node, inputs: writer.add(op, [*inputs, writer.constant(np.array([axis], np.int64))], keepdims=1)


def conv(writer: Writer, node: Node, inputs: list[str]) -> str:
    """A "same" convolution, dense or depthwise."""
    kernel, dilation = node.weights["kernel"], node.attrs.get("dilation", 1)
    depthwise = node.op == "depthwise_conv2d"
    weight = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    total = [dilation * (k - 1) for k in kernel.shape[:2]]  # "same" puts the odd pixel of an even kernel behind
    pads = [t // 2 for t in total] + [t - t // 2 for t in total]
    group = len(weight) if depthwise else 1
    names = _arrays(writer, node, weight)
    return writer.add("Conv", inputs + names, kernel_shape=kernel.shape[:2], pads=pads, dilations=[dilation] * 2, group=group)


def strided_conv(writer: Writer, node: Node, inputs: list[str]) -> str:
    """TensorFlow's "same" with strides is ONNX' SAME_UPPER."""
    kernel = node.weights["kernel"]
    names = _arrays(writer, node, kernel.transpose(3, 2, 0, 1))
    auto_pad = "SAME_UPPER" if node.attrs["padding"] == "same" else "VALID"
    return writer.add("Conv", inputs + names, kernel_shape=kernel.shape[:2], strides=node.attrs["strides"], auto_pad=auto_pad)


def conv_transpose(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Keras' kernel is (h, w, out, in), ONNX' (in, out, h, w)."""
    kernel, stride = node.weights["kernel"], node.attrs["stride"]
    total = [k - stride for k in kernel.shape[:2]]
    pads = [t // 2 for t in total] + [t - t // 2 for t in total]
    names = _arrays(writer, node, kernel.transpose(3, 2, 0, 1))
    return writer.add("ConvTranspose", inputs + names, kernel_shape=kernel.shape[:2], strides=[stride] * 2, pads=pads)


def _arrays(writer: Writer, node: Node, weight: np.ndarray) -> list[str]:
    arrays = [weight] + ([node.weights["bias"]] if "bias" in node.weights else [])
    return [writer.constant(a.astype(np.float32)) for a in arrays]


def norm(writer: Writer, node: Node, inputs: list[str]) -> str:
    """LayerNormalization over the channels; a centred input is normalised the same way: its mean is zero."""
    last = writer.add("Transpose", inputs, perm=[0, 2, 3, 1])
    affine = [writer.constant(node.weights[key]) for key in ("gamma", "beta")]
    normal = writer.add("LayerNormalization", [last, *affine], axis=-1, epsilon=float(node.attrs["epsilon"]))
    return writer.add("Transpose", [normal], perm=[0, 3, 1, 2])


def contrast(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Mean plus standard deviation over the image."""
    mean = image_mean(writer, inputs[0])
    centred = writer.add("Sub", [inputs[0], mean])
    variance = image_mean(writer, writer.add("Mul", [centred, centred]))
    shifted = writer.add("Add", [variance, writer.constant(np.float32(node.attrs["epsilon"]))])
    return writer.add("Add", [mean, writer.add("Sqrt", [shifted])])


def image_mean(writer: Writer, x: str) -> str:
    """Rows first, as in Keras: half precision would lose the small addends of one long sum."""
    rows = writer.add("ReduceMean", [x, writer.constant(np.array([3], np.int64))], keepdims=1)
    return writer.add("ReduceMean", [rows, writer.constant(np.array([2], np.int64))], keepdims=1)


def gelu(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Gelu, exact or by tanh."""
    return writer.add("Gelu", inputs, approximate="tanh" if node.attrs["approximate"] else "none")


def leaky_relu(writer: Writer, node: Node, inputs: list[str]) -> str:
    """LeakyRelu."""
    return writer.add("LeakyRelu", inputs, alpha=float(node.attrs["slope"]))


def prelu(writer: Writer, node: Node, inputs: list[str]) -> str:
    """PRelu with one slope a channel."""
    return writer.add("PRelu", [*inputs, writer.constant(node.weights["slope"].astype(np.float32).reshape(-1, 1, 1))])


def silu(writer: Writer, node: Node, inputs: list[str]) -> str:
    """X * sigmoid(x): opset 20 has no Swish."""
    return writer.add("Mul", [*inputs, writer.add("Sigmoid", inputs)])


def affine(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Mul and Add of constants."""
    (x,) = inputs
    for key, op in (("scale", "Mul"), ("offset", "Add")):
        if key in node.weights:
            value = np.asarray(node.weights[key], np.float32)
            x = writer.add(op, [x, writer.constant(value.reshape(-1, 1, 1) if value.ndim else value)])
    return x


def depth_to_space(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Block-major, as TensorFlow has it."""
    return writer.add("DepthToSpace", inputs, blocksize=node.attrs["scale"], mode="DCR")


def clip(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Clip to two numbers."""
    return writer.add("Clip", [*inputs, *(writer.constant(np.float32(node.attrs[key])) for key in ("low", "high"))])


def max_pool(writer: Writer, node: Node, inputs: list[str]) -> str:
    """MaxPool."""
    auto_pad = "SAME_UPPER" if node.attrs["padding"] == "same" else "VALID"
    return writer.add("MaxPool", inputs, kernel_shape=node.attrs["pool"], strides=node.attrs["strides"], auto_pad=auto_pad)


def resize(mode: str) -> Form:
    """Resize by a whole number, pixel centres at half positions."""

    def write(writer: Writer, node: Node, inputs: list[str]) -> str:
        scales = writer.constant(np.array([1, 1, node.attrs["scale"], node.attrs["scale"]], np.float32))
        how = {"coordinate_transformation_mode": "half_pixel"} | ({"nearest_mode": "round_prefer_floor"} if mode == "nearest" else {})
        return writer.add("Resize", [*inputs, "", scales], mode=mode, **how)

    return write


def pad(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Zeros around rows and columns."""
    (top, bottom), (left, right) = node.attrs["rows"], node.attrs["columns"]
    return writer.add("Pad", [*inputs, writer.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))])


def slice_channels(writer: Writer, node: Node, inputs: list[str]) -> str:
    """Slice of axis 1."""
    start = node.attrs["start"]
    limits = [writer.constant(np.array([v], np.int64)) for v in (start, start + node.attrs["size"], 1)]
    return writer.add("Slice", [*inputs, *limits])
