"""From a Keras model of blocks and stock layers to its flat graph."""

from typing import Any

import keras
import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import OPERATIONS, TABLE
from keras_models.blocks import Block
from keras_models.system.errors import ModelError


def graph_of(model: keras.Model, height: int = 64, width: int = 64) -> Graph:
    """Unrolls a functional model of `Block`s and stock layers.

    Args:
        model: (N, H, W, C) to (N, sH, sW, C).
        height: low-resolution pixels, for the shapes of the nodes.
        width: low-resolution pixels.

    Raises:
        ModelError: the model holds a layer that has no row in `conversion.graph.ops`.

    Example:
        >>> from conversion.graph.from_keras import graph_of
        >>> from keras_models import LKDN
        >>> graph_of(LKDN(scale=2, features=4, attention_channels=4, blocks=1)).output.op
        'depth_to_space'
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
        is_layer = isinstance(operation, keras.layers.Layer)
        path = (operation.path or operation.name) if is_layer else prefix + type(operation).__name__.lower()
        op, attrs, weights = _read(operation, made_by, tensor)
        node = Node(_free_name(path, nodes), op, attrs, weights, inputs, tuple(tensor.shape))
        nodes[node.name] = node
        name = node.name
    seen[id(tensor)] = (name, tensor)
    return name


def _read(operation: Any, made_by: Any, result: keras.KerasTensor) -> tuple[str, dict, dict[str, np.ndarray]]:
    """(op, attrs, weights) of a Keras operation, by the row that names its class."""
    kind = type(operation).__name__
    if hasattr(operation, "fold"):
        raise ModelError(f"{operation.name}: a {kind} is a layer to train: fold the model first")
    row = OPERATIONS.get(kind)
    if row is None:
        raise ModelError(f"{operation.name}: a {kind} has no row: add one to {TABLE}, with `keras` naming {kind}")
    return row.read(operation, made_by.arguments, result)


def _free_name(path: str, nodes: dict[str, Node]) -> str:
    base = name = path.replace("/", ".")
    count = 1
    while name in nodes:
        name, count = f"{base}_{count}", count + 1
    return name


def multi_adds(graph: Graph) -> int:
    """Multiply-adds of a graph's convolutions for one image of the size that it was unrolled at (biases not counted)."""
    total = 0
    for node in graph.nodes.values():
        if "kernel" in node.weights:
            counted = graph.nodes[node.inputs[0]] if node.op == "conv2d_transpose" else node
            total += node.weights["kernel"].size * counted.shape[1] * counted.shape[2]
    return total
