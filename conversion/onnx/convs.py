"""A Conv of an ONNX graph as arrays and geometry, where it is one that the rewrites may touch."""

from dataclasses import dataclass

import numpy as np

from conversion.onnx.graph import OnnxGraph, OnnxNode


@dataclass(frozen=True)
class Conv:
    """A two-dimensional stride-1 convolution with constant weights.

    Attributes:
        node: the Conv.
        source: the tensor that it convolves.
        weight: (O, I / group, kH, kW), its own dtype.
        bias: (O,), zeros where the node has none.
        group: 1 is dense; as many as channels is depthwise.
        dilations: (vertical, horizontal).
        pads: (top, left, bottom, right).
    """

    node: OnnxNode
    source: str
    weight: np.ndarray
    bias: np.ndarray
    group: int
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def depthwise(self) -> bool:
        """True if every output channel sees only the input channel of its own number."""
        return self.group == len(self.weight) > 1 and self.weight.shape[1] == 1

    @property
    def same(self) -> bool:
        """True if kernel sides are odd and zeros are padded evenly, so that the result has the size of the input."""
        reach = tuple(d * (k - 1) // 2 for d, k in zip(self.dilations, self.weight.shape[2:]))
        return all(k % 2 for k in self.weight.shape[2:]) and self.pads == (*reach, *reach)

    @property
    def pointwise(self) -> bool:
        """True if the kernel is 1x1 and nothing is padded."""
        return self.weight.shape[2:] == (1, 1) and self.same


def conv_of(graph: OnnxGraph, node: OnnxNode | None) -> Conv | None:
    """The node as a `Conv`; None if it is no Conv, strides, is not two-dimensional, or its weights are computed."""
    if node is None or node.op != "Conv":
        return None
    weight = graph.constants.get(node.inputs[1])
    bias = graph.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if weight is None or weight.ndim != 4 or (len(node.inputs) > 2 and bias is None) or tuple(node.attrs.get("strides", (1, 1))) != (1, 1):
        return None
    dilations, pads = tuple(node.attrs.get("dilations", (1, 1))), tuple(node.attrs.get("pads", (0, 0, 0, 0)))
    padding = node.attrs.get("auto_pad", "NOTSET")
    if padding not in ("NOTSET", "VALID"):
        total = [d * (k - 1) for d, k in zip(dilations, weight.shape[2:])]
        low = [t // 2 if padding == "SAME_UPPER" else t - t // 2 for t in total]
        pads = (*low, *(t - v for t, v in zip(total, low)))
    bias = np.zeros(len(weight), weight.dtype) if bias is None else bias
    return Conv(node, node.inputs[0], weight, bias, node.attrs.get("group", 1), dilations, pads)


def store(graph: OnnxGraph, conv: Conv) -> None:
    """Writes a changed `Conv` (`dataclasses.replace`) into its node, weights as float32; a bias of zeros is left out."""
    inputs = [conv.source, graph.constant(conv.weight.astype(np.float32), "weight")]
    if np.any(conv.bias):
        inputs.append(graph.constant(conv.bias.astype(np.float32), "bias"))
    conv.node.inputs = inputs
    conv.node.attrs = {
        "dilations": list(conv.dilations),
        "group": conv.group,
        "kernel_shape": list(conv.weight.shape[2:]),
        "pads": list(conv.pads),
        "strides": [1, 1],
    }


def add_conv(graph: OnnxGraph, source: str, weight: np.ndarray) -> str:
    """Adds a dense convolution (O, I, 1, 1) without bias; returns the name of its output."""
    return graph.add("Conv", [source, graph.constant(weight.astype(np.float32), "weight")], {"kernel_shape": [1, 1]})
