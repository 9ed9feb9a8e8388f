"""The flat graph of a network: its stock operations one by one, read from a Keras model and turned back into one.

A network is written in blocks, as in its paper. Counting multiply-adds, exact rewrites, ranges and export want the
operations themselves. `graph_of` unrolls the blocks; `to_keras` builds an equal functional model. All maps are NHWC.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_models.blocks import Block
from keras_models.system.errors import ModelError


@dataclass
class Node:
    """One operation.

    Attributes:
        name: unique in its graph.
        op: a key of `EMIT`, or "input".
        attrs: plain values (dilation, epsilon, axis ...).
        weights: float32 arrays in Keras layout (kernel, bias, gamma, beta); absent ones are left out.
        inputs: names of the nodes it reads.
        shape: (1, H, W, C) at the size the graph was unrolled at.
    """

    name: str
    op: str
    attrs: dict = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    shape: tuple[int, ...] = ()


class Graph:
    """Nodes in an order in which every node follows its inputs; the last one is the output."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}

    @property
    def output(self) -> Node:
        """The node whose value is the network's result."""
        return next(reversed(self.nodes.values()))

    def users(self, name: str) -> list[Node]:
        """The nodes that read `name`."""
        return [node for node in self.nodes.values() if name in node.inputs]

    def only_user(self, name: str) -> Node | None:
        """The node that reads `name` if there is exactly one and it reads it once."""
        users = self.users(name)
        return users[0] if len(users) == 1 and users[0].inputs.count(name) == 1 else None

    def prune(self, output: str) -> None:
        """Drops all nodes that `output` does not need, and makes it the last."""
        needed, stack = set(), [output]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(self.nodes[name].inputs)
        self.nodes = {name: node for name, node in self.nodes.items() if name in needed}

    def insert_before(self, node: Node, new: Node) -> None:
        """Puts `new` just before `node` in the order."""
        order = []
        for other in self.nodes.values():
            order.extend([new, other] if other is node else [other])
        self.nodes = {n.name: n for n in order}

    def copy(self) -> "Graph":
        """An independent graph; arrays are shared and must be replaced, not changed in place."""
        return Graph(Node(n.name, n.op, dict(n.attrs), dict(n.weights), list(n.inputs), n.shape) for n in self.nodes.values())


def graph_of(model: keras.Model, height: int = 64, width: int = 64) -> Graph:
    """Unrolls a functional model of `Block`s and stock layers.

    Args:
        model: (N, H, W, C) to (N, sH, sW, C).
        height: low-resolution pixels, for the shapes of the nodes.
        width: low-resolution pixels.

    Raises:
        ModelError: the model holds a layer that has no stock operation (fold the training form first).
    """
    twin = keras.models.clone_model(model)  # unrolling leaves traces in layers, which `model.summary()` would show
    twin.set_weights(model.get_weights())
    image = keras.Input(batch_shape=(1, height, width, model.input_shape[-1]), name="image")
    nodes: dict[str, Node] = {}
    _visit(twin.call(image), "", nodes, {})
    return Graph(nodes.values())


def _visit(tensor: keras.KerasTensor, prefix: str, nodes: dict[str, Node], seen: dict[int, tuple]) -> str:
    """Adds the operation that makes `tensor`, after those that it needs; returns its name.

    Args:
        tensor: symbolic result of the operation.
        prefix: path of the block that the operation stands in.
        nodes: the graph so far.
        seen: id of a tensor -> (its name, the tensor itself, so that the id stays taken).
    """
    if id(tensor) in seen:
        return seen[id(tensor)][0]
    operation, index, _ = tensor._keras_history
    made_by = operation._inbound_nodes[index]
    inputs = [_visit(t, prefix, nodes, seen) for t in made_by.input_tensors]
    if isinstance(operation, Block):
        name = _visit(operation.call(*made_by.arguments.args), operation.path + "/", nodes, seen)
    elif type(operation).__name__ == "ConvertToTensor":  # what calling a functional model puts on its input
        name = inputs[0]
    else:
        read = READ.get(type(operation).__name__)
        if read is None:
            raise ModelError(f"{operation.name}: no stock operation for a {type(operation).__name__}: fold the model first")
        is_layer = isinstance(operation, keras.layers.Layer)
        path = (operation.path or operation.name) if is_layer else prefix + type(operation).__name__.lower()
        node = Node(_free_name(path, nodes), *read(operation), shape=tuple(tensor.shape))
        node.inputs = inputs
        nodes[node.name] = node
        name = node.name
    seen[id(tensor)] = (name, tensor)
    return name


def _free_name(path: str, nodes: dict[str, Node]) -> str:
    base = name = path.replace("/", ".")
    count = 1
    while name in nodes:
        name, count = f"{base}_{count}", count + 1
    return name


def _read_conv(layer: keras.layers.Layer) -> tuple[str, dict, dict]:
    op = "depthwise_conv2d" if isinstance(layer, keras.layers.DepthwiseConv2D) else "conv2d"
    if layer.padding != "same" or tuple(layer.strides) != (1, 1) or getattr(layer, "groups", 1) != 1:
        raise ModelError(f"{layer.name}: only ungrouped stride-1 'same' convolutions are known: fold the model first")
    weights = dict(zip(("kernel", "bias"), map(np.asarray, layer.get_weights()), strict=False))
    return op, {"dilation": layer.dilation_rate[0]}, weights


def _read_norm(layer: keras.layers.Layer) -> tuple[str, dict, dict]:
    weights = {"gamma": np.asarray(layer.gamma), "beta": np.asarray(layer.beta)}
    return "pixel_norm", {"epsilon": layer.epsilon, "centred": False}, weights


def _read_over_channels(name: str, op: keras.Operation) -> tuple[str, dict, dict]:
    if op.axis not in (-1, [-1], (-1,)) or not op.keepdims:
        raise ModelError(f"{op.name}: only reductions over the channels that keep their axis are known")
    return name, {}, {}


READ: dict[str, Callable[[Any], tuple[str, dict, dict]]] = {
    "InputLayer": lambda _: ("input", {}, {}),
    "Conv2D": _read_conv,
    "DepthwiseConv2D": _read_conv,
    "PixelNorm": _read_norm,
    "Contrast": lambda layer: ("contrast", {"epsilon": layer.epsilon}, {}),
    "Gelu": lambda op: ("gelu", {"approximate": op.approximate}, {}),
    "LeakyRelu": lambda op: ("leaky_relu", {"slope": op.negative_slope}, {}),
    "Relu": lambda _: ("relu", {}, {}),
    "Sigmoid": lambda _: ("sigmoid", {}, {}),
    "Mean": lambda op: _read_over_channels("channel_mean", op),
    "Max": lambda op: _read_over_channels("channel_max", op),
    "Add": lambda _: ("add", {}, {}),
    "Multiply": lambda _: ("multiply", {}, {}),
    "Concatenate": lambda op: ("concatenate", {"axis": op.axis}, {}),
    "DepthToSpace": lambda op: ("depth_to_space", {"scale": op.block_size}, {}),
}
"""Class name of a Keras operation -> how it becomes (op, attrs, weights). A new network adds its operations here."""


def to_keras(graph: Graph, height: int | None, width: int | None, taps: Iterable[str] = ()) -> keras.Model:
    """A functional model of stock layers, equal to the graph.

    Args:
        graph: the graph.
        height: static low-resolution height, or None for any (batch is then any, too).
        width: as height.
        taps: names of nodes whose values are outputs besides "upscaled".

    Returns:
        A model: "image" (N, H, W, 3), or a list if the graph has several inputs, to a dict {"upscaled": ..., **taps}.
    """
    batch = 1 if height else None
    values = {}
    for node in graph.nodes.values():
        if node.op == "input":
            sides = (height, width) if node.shape[1:3] != (1, 1) else (1, 1)
            values[node.name] = keras.Input(batch_shape=(batch, *sides, node.shape[-1]), name=node.name)
        else:
            values[node.name] = EMIT[node.op](node, *(values[i] for i in node.inputs))
    outputs = {"upscaled": values[graph.output.name], **{name: values[name] for name in taps}}
    inputs = [value for name, value in values.items() if graph.nodes[name].op == "input"]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)


def _emit_conv(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    kernel = node.weights["kernel"]
    options = {
        "padding": "same",
        "dilation_rate": node.attrs.get("dilation", 1),
        "use_bias": "bias" in node.weights,
        "name": node.name.replace("/", "."),
    }
    if node.op == "depthwise_conv2d":
        layer = keras.layers.DepthwiseConv2D(kernel.shape[:2], **options)
    else:
        layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options)
    y = layer(x)
    layer.set_weights([node.weights[key] for key in ("kernel", "bias") if key in node.weights])
    return y


def _emit_norm(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    # Multiplying by rsqrt of the mean square is the fastest of the exact forms on XNNPACK; a centred input saves two more.
    if not node.attrs["centred"]:
        x = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
    y = x * ops.rsqrt(variance + np.float32(node.attrs["epsilon"]))
    return y * node.weights["gamma"] + node.weights["beta"]


def _emit_contrast(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    # Rows first, then columns: in half precision a sum over a whole map of thousands of pixels would lose its small addends.
    mean = _image_mean(x)
    centred = x - mean
    return mean + ops.sqrt(_image_mean(centred * centred) + np.float32(node.attrs["epsilon"]))


def _image_mean(x: keras.KerasTensor) -> keras.KerasTensor:
    return ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)


def _emit_fake_quant(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.quantizers.fake_quant_with_min_max_vars(x, node.attrs["low"], node.attrs["high"])


def _emit_core_mean(_: Node, x: keras.KerasTensor, core: keras.KerasTensor) -> keras.KerasTensor:
    return _image_mean(x * core) / _image_mean(core)


EMIT: dict[str, Callable] = {
    "conv2d": _emit_conv,
    "depthwise_conv2d": _emit_conv,
    "pixel_norm": _emit_norm,
    "rsqrt": lambda _, x: ops.rsqrt(x),
    "fake_quant": _emit_fake_quant,
    "gelu": lambda node, x: ops.gelu(x, approximate=node.attrs["approximate"]),
    "contrast": _emit_contrast,
    "core_mean": _emit_core_mean,
    "core_variance": lambda node, x, core, mean: _emit_core_mean(node, ops.square(x - mean), core),
    "slice_channels": lambda node, x: x[..., node.attrs["start"] : node.attrs["start"] + node.attrs["size"]],
    "leaky_relu": lambda node, x: ops.leaky_relu(x, node.attrs["slope"]),
    "relu": lambda _, x: ops.relu(x),
    "sigmoid": lambda _, x: ops.sigmoid(x),
    "channel_mean": lambda _, x: ops.mean(x, axis=-1, keepdims=True),
    "channel_max": lambda _, x: ops.max(x, axis=-1, keepdims=True),
    "add": lambda _, x, y: x + y,
    "multiply": lambda _, x, y: x * y,
    "concatenate": lambda node, *xs: ops.concatenate(xs, axis=node.attrs["axis"]),
    "depth_to_space": lambda node, x: ops.depth_to_space(x, node.attrs["scale"]),
    "clip": lambda node, x: ops.clip(x, node.attrs["low"], node.attrs["high"]),
}
"""Op -> the Keras operations that compute it."""


def multi_adds(model: keras.Model, height: int, width: int) -> int:
    """Multiply-adds of all convolutions for one low-resolution image of height x width pixels (biases not counted)."""
    nodes = graph_of(model, height, width).nodes.values()
    return sum(n.weights["kernel"].size * n.shape[1] * n.shape[2] for n in nodes if "kernel" in n.weights)
