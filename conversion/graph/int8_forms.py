"""Operations without an integer kernel of their own, written as ones that have it: functions of (graph, node) that change the graph.

Each is exact in float; what it gains is that every step has a scale of its own.
"""

import numpy as np

from conversion.graph.ir import Graph, Node


def norm_as_products(graph: Graph, node: Node, share: float | None = None, dilation: int = 1) -> None:
    """A pixel norm becomes x * rsqrt(energy) and a depthwise 1x1 convolution; energy is a 1x1 convolution of x * x.

    Every step can have a scale of its own for each channel, which L2_NORMALIZATION cannot: its integer kernel gives steps
    of 1/128, and the inputs of LKDN's norms are one constant direction to 99 %, so that what varies between pixels is
    two such steps wide. An input that is not centred yet is centred by a 1x1 convolution.

    Args:
        graph: changed.
        node: the norm.
        share: of every square in the energy; gamma makes up for what is not 1 / channels, None for that.
        dilation: of the energy's convolution, which makes no difference to its values.
    """
    channels = node.shape[-1]
    share = 1 / channels if share is None else share
    one = (*node.shape[:-1], 1)
    source = node.inputs[0]
    if not node.attrs["centred"]:
        kernel = (np.eye(channels) - 1 / channels).astype(np.float32)[None, None]
        source = _before(graph, node, "centre", "conv2d", [source], node.shape, {"kernel": kernel})
    square = _before(graph, node, "square", "multiply", [source, source], node.shape)
    epsilon = np.array([node.attrs["epsilon"] * channels * share], np.float32)
    mean = {"kernel": np.full((1, 1, channels, 1), share, np.float32), "bias": epsilon}
    energy = _before(graph, node, "energy", "conv2d", [square], one, mean)
    graph.nodes[energy].attrs["dilation"] = dilation
    inverse = _before(graph, node, "rsqrt", "rsqrt", [energy], one)
    unit = _before(graph, node, "unit", "multiply", [source, inverse], node.shape)
    _become_depthwise(node, unit, node.weights["gamma"] * np.float32((channels * share) ** 0.5), node.weights["beta"])


def affine_as_depthwise(graph: Graph, node: Node) -> None:
    """Scale * x + offset is a depthwise 1x1 convolution."""
    channels = node.shape[-1]
    scale, offset = (np.broadcast_to(node.weights.get(key, value), channels) for key, value in (("scale", 1.0), ("offset", 0.0)))
    _become_depthwise(node, node.inputs[0], scale, offset)


def silu_as_product(graph: Graph, node: Node) -> None:
    """X * sigmoid(x)."""
    gate = _before(graph, node, "gate", "sigmoid", list(node.inputs), node.shape)
    node.op, node.inputs = "multiply", [*node.inputs, gate]


def hard_swish_as_product(graph: Graph, node: Node) -> None:
    """X * clip(x + 3, 0, 6) / 6, the sixth in the gate's own scale."""
    channels = node.shape[-1]
    kernel = {"kernel": np.ones((1, 1, channels, 1), np.float32), "bias": np.full(channels, 3.0, np.float32)}
    shifted = _before(graph, node, "shifted", "depthwise_conv2d", list(node.inputs), node.shape, kernel)
    gate = _before(graph, node, "gate", "clip", [shifted], node.shape)
    graph.nodes[gate].attrs = {"low": 0.0, "high": 6.0}
    product = _before(graph, node, "product", "multiply", [*node.inputs, gate], node.shape)
    _become_depthwise(node, product, np.full(channels, 1 / 6), np.zeros(channels))


def prelu_as_parts(graph: Graph, node: Node) -> None:
    """relu(x) and the slopes times the negative part, each in a range of its own: a convolution makes -relu(-x)'s share."""
    channels = node.shape[-1]
    flip = {"kernel": np.full((1, 1, channels, 1), -1.0, np.float32)}
    positive = _before(graph, node, "positive", "relu", list(node.inputs), node.shape)
    mirrored = _before(graph, node, "mirrored", "depthwise_conv2d", list(node.inputs), node.shape, flip)
    negative = _before(graph, node, "negative", "relu", [mirrored], node.shape)
    slopes = {"kernel": -node.weights["slope"].reshape(1, 1, channels, 1).astype(np.float32)}
    sloped = _before(graph, node, "sloped", "depthwise_conv2d", [negative], node.shape, slopes)
    node.op, node.attrs, node.weights, node.inputs = "add", {}, {}, [positive, sloped]


def _before(graph: Graph, node: Node, part: str, op: str, inputs: list[str], shape: tuple, weights: dict | None = None) -> str:
    """Puts a new operation before a node and gives its name, the node's with `part` behind it."""
    new = Node(f"{node.name}.{part}", op, {"dilation": 1} if weights else {}, weights or {}, inputs, shape)
    graph.insert_before(node, new)
    return new.name


def _become_depthwise(node: Node, source: str, scale: np.ndarray, offset: np.ndarray) -> None:
    kernel = np.asarray(scale, np.float32).reshape(1, 1, node.shape[-1], 1)
    node.op, node.attrs, node.inputs = "depthwise_conv2d", {"dilation": 1}, [source]
    node.weights = {"kernel": kernel, "bias": np.asarray(offset, np.float32)}
