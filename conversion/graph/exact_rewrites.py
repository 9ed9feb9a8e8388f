"""Exact rewrites of a deploy graph: the same function in fewer or cheaper operations, for any network.

Each rewrite states its own precondition and changes nothing where it does not hold. Sums are taken in float64.
"""

import keras
import numpy as np

from conversion.graph.hardware_limits import MAX_CONCATENATION, THIN_CHANNELS
from conversion.graph.ir import Graph, Node, graph_of


def deploy_graph(model: keras.Model, height: int, width: int) -> Graph:
    """The graph of a network in deploy form, rewritten, its output clipped to [0, 1].

    Args:
        model: deploy form.
        height: low-resolution pixels.
        width: low-resolution pixels.
    """
    graph = graph_of(model, height, width)
    merge_repeated_inputs(graph)
    merge_thin_pointwise(graph)
    centre_norm_inputs(graph)
    nest_concatenations(graph)
    clip_output(graph)
    return graph


def merge_repeated_inputs(graph: Graph) -> None:
    """A 1x1 convolution of one tensor concatenated n times is a convolution of the tensor with summed kernel groups."""
    for node in list(graph.nodes.values()):
        if node.op != "concatenate" or len(set(node.inputs)) != 1 or len(node.inputs) < 2:
            continue
        conv = graph.only_user(node.name)
        if conv is None or conv.op != "conv2d":
            continue
        kernel = _float64(conv)
        groups = kernel.reshape(*kernel.shape[:2], len(node.inputs), -1, kernel.shape[-1])
        conv.weights["kernel"] = groups.sum(axis=2).astype(np.float32)
        conv.inputs = [node.inputs[0]]
    graph.prune(graph.output.name)


def merge_thin_pointwise(graph: Graph) -> None:
    """A 1x1 without bias, then a depthwise convolution, is one dense convolution; exact at the border, as 0 maps to 0."""
    for node in list(graph.nodes.values()):
        if node.op != "depthwise_conv2d":
            continue
        pointwise = graph.nodes[node.inputs[0]]
        thin = pointwise.op == "conv2d" and pointwise.weights["kernel"].shape[:3] <= (1, 1, THIN_CHANNELS)
        if not thin or "bias" in pointwise.weights or graph.only_user(pointwise.name) is not node:
            continue
        dense = np.einsum("io,hwo->hwio", _float64(pointwise)[0, 0], _float64(node)[..., 0])
        node.op, node.inputs = "conv2d", list(pointwise.inputs)
        node.weights["kernel"] = dense.astype(np.float32)
    graph.prune(graph.output.name)


def centre_norm_inputs(graph: Graph) -> None:
    """A convolution that only feeds a pixel norm may subtract its mean over output channels; the norm then need not."""
    for node in graph.nodes.values():
        if node.op != "pixel_norm" or node.attrs["centred"]:
            continue
        conv = graph.nodes[node.inputs[0]]
        if conv.op == "conv2d" and graph.only_user(conv.name) is node:
            for key, array in conv.weights.items():
                wide = array.astype(np.float64)
                conv.weights[key] = (wide - wide.mean(axis=-1, keepdims=True)).astype(np.float32)
            node.attrs["centred"] = True


def nest_concatenations(graph: Graph) -> None:
    """A CONCATENATION of more than five inputs becomes one of concatenations."""
    for node in list(graph.nodes.values()):
        while node.op == "concatenate" and len(node.inputs) > MAX_CONCATENATION:
            first = node.inputs[: MAX_CONCATENATION - 1]
            channels = sum(graph.nodes[i].shape[-1] for i in first)
            inner = Node(f"{node.name}.part{len(node.inputs)}", "concatenate", dict(node.attrs), {}, first, (*node.shape[:-1], channels))
            graph.insert_before(node, inner)
            node.inputs = [inner.name, *node.inputs[len(first) :]]


def clip_output(graph: Graph) -> None:
    """Ends the graph with a clip to [0, 1], as the .tflite contract wants."""
    last = graph.output
    graph.nodes["upscaled"] = Node("upscaled", "clip", {"low": 0.0, "high": 1.0}, {}, [last.name], last.shape)


def _float64(node: Node) -> np.ndarray:
    return node.weights["kernel"].astype(np.float64)
