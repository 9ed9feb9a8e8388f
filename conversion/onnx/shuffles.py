"""Pixel shuffles in the channel order that TensorFlow's DEPTH_TO_SPACE has, so that no transpose of rank 6 is needed.

PyTorch's order (CRD) takes channel c * r * r + b for colour c and place b in the block, TensorFlow's (DCR) b * colours + c.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conversion.onnx.convs import add_conv, conv_of, store
from conversion.onnx.graph import OnnxGraph, OnnxNode

PER_ELEMENT = {"Relu", "LeakyRelu", "Gelu", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Softplus", "Neg", "Clip"}
"""Operations that do the same to every element of their first input."""


def _parted(graph: OnnxGraph) -> Iterator[tuple[OnnxNode, OnnxNode, OnnxNode, tuple[tuple, tuple, tuple]]]:
    """Every Reshape, Transpose, Reshape that nothing else reads, with the shapes before the first and behind both Reshapes."""
    shapes = graph.shapes()
    for node in list(graph.nodes):
        first = graph.producer(node.inputs[0], "Reshape") if node.op == "Transpose" else None
        last = graph.only_user(node.output, "Reshape")
        if first is not None and last is not None and graph.only_user(first.output) is node:
            before, split, after = (shapes.get(name, ()) for name in (first.inputs[0], first.output, last.output))
            yield first, node, last, (before, split, after)


def name_shuffles(graph: OnnxGraph) -> int:
    """Reshape to rank 6, Transpose, Reshape to rank 4 is a DepthToSpace where its shapes and order say so."""
    count = 0
    for first, node, last, (before, split, after) in _parted(graph):
        mode = {(0, 1, 4, 2, 5, 3): "CRD", (0, 3, 4, 1, 5, 2): "DCR"}.get(tuple(node.attrs.get("perm", [])))
        if mode is None or len(before) != 4 or len(split) != 6:
            continue
        block = split[2]
        colours, other = (split[1], split[3]) if mode == "CRD" else (split[3], split[1])
        batch, channels, height, width = before
        if (colours * block**2, other, split[4:]) != (channels, block, (height, width)):
            continue
        if after != (batch, colours, height * block, width * block) or split[0] != batch:
            continue
        graph.replace(last.output, graph.add("DepthToSpace", [first.inputs[0]], {"blocksize": block, "mode": mode}))
        graph.tidy()
        count += 1
    return count


def name_unshuffles(graph: OnnxGraph) -> int:
    """Reshape to rank 6, Transpose, Reshape to rank 4 the other way is a SpaceToDepth, its channels put in order by a 1x1 Conv."""
    count = 0
    for first, node, last, (before, split, after) in _parted(graph):
        colours_first = {(0, 1, 3, 5, 2, 4): True, (0, 3, 5, 1, 2, 4): False}.get(tuple(node.attrs.get("perm", [])))
        if colours_first is None or len(before) != 4 or len(split) != 6:
            continue
        batch, channels, height, width = before
        block = split[3]
        if split != (batch, channels, height // block, block, width // block, block):
            continue
        if after != (batch, channels * block**2, height // block, width // block):
            continue
        made = graph.add("SpaceToDepth", [first.inputs[0]], {"blocksize": block})
        if colours_first:  # SpaceToDepth gives b * channels + c
            order = np.arange(channels * block**2).reshape(block**2, channels).T.ravel()
            made = add_conv(graph, made, np.eye(len(order))[order][:, :, None, None])
        graph.replace(last.output, made)
        graph.tidy()
        count += 1
    return count


def reorder_shuffles(graph: OnnxGraph) -> int:
    """A DepthToSpace in CRD order is one in DCR order behind filters in another order.

    The order goes back through sums and element-wise operations to the Convs that make the channels, as far as nothing
    else reads what lies between; where it cannot go on, a 1x1 Conv of zeros and ones sets it, exactly.
    """
    count = 0
    shapes = graph.shapes()
    for node in graph.nodes[:]:
        channels = shapes.get(node.inputs[0], ()) if node.op == "DepthToSpace" and node.attrs.get("mode") == "CRD" else ()
        if len(channels) == 4:
            block = node.attrs["blocksize"]
            order = np.arange(channels[1]).reshape(-1, block**2).T.ravel()
            node.inputs = [_reordered(graph, node.inputs[0], order, shapes)]
            node.attrs = {"blocksize": block, "mode": "DCR"}
            count += 1
    graph.tidy()
    return count


def _reordered(graph: OnnxGraph, tensor: str, order: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> str:
    """The name of the tensor with its channels in `order`; one channel that is broadcast has no order."""
    if tensor in graph.constants:
        return graph.constant(_channels(graph.constants[tensor], order), "reordered")
    if shapes.get(tensor, (0, 0))[1] == 1:
        return tensor
    node = graph.producer(tensor)
    if node is not None and graph.only_user(tensor) is not None and _pass_on(graph, node, order, shapes):
        return tensor
    return add_conv(graph, tensor, np.eye(len(order))[order][:, :, None, None])


def _pass_on(graph: OnnxGraph, node: OnnxNode, order: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Makes the node give its channels in `order`; False if it is none that can."""
    conv = conv_of(graph, node)
    if conv is not None and conv.group == 1:
        store(graph, replace(conv, weight=conv.weight[order], bias=conv.bias[order]))
        return True
    if node.op in ("Add", "Sub", "Mul", "Div", "PRelu"):
        if not all(_has_channels(graph.constants.get(name), shapes.get(name, ()), len(order)) for name in node.inputs):
            return False
        node.inputs = [_reordered(graph, name, order, shapes) for name in node.inputs]
        return True
    if node.op in PER_ELEMENT:
        node.inputs = [_reordered(graph, node.inputs[0], order, shapes), *node.inputs[1:]]
        return True
    return False


def _has_channels(value: np.ndarray | None, shape: tuple[int, ...], channels: int) -> bool:
    """True of a constant scalar, and of what has either one channel or all of them in the third place from the end."""
    if value is not None and value.size == 1:
        return True
    return (len(shape) >= 3 if value is not None else len(shape) == 4) and shape[-3] in (1, channels)


def _channels(value: np.ndarray, order: np.ndarray) -> np.ndarray:
    return value.take(order, axis=-3) if value.ndim >= 3 and value.shape[-3] > 1 else value
