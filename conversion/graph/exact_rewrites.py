"""Exact rewrites of a deploy graph: the same function in fewer or cheaper operations, for any network.

Each rewrite states its own precondition and changes nothing where it does not hold. Sums are taken in float64.
"""

import keras
import numpy as np

from conversion.graph.from_keras import graph_of
from conversion.graph.hardware_limits import MAX_CONCATENATION, THIN_CHANNELS
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR


def deploy_graph(model: keras.Model, height: int, width: int) -> Graph:
    """The graph of a network in deploy form, rewritten, its output clipped to [0, 1].

    Args:
        model: deploy form.
        height: low-resolution pixels.
        width: low-resolution pixels.
    """
    return rewritten(graph_of(model, height, width))


def rewritten(graph: Graph) -> Graph:
    """The graph of the same function in fewer or cheaper operations, its output clipped to [0, 1]; `graph` is not changed."""
    graph = graph.copy()
    merge_repeated_inputs(graph)
    merge_thin_pointwise(graph)
    affine_before_shuffle(graph)
    merge_affines(graph)
    scale_into_convolutions(graph)
    nearest_to_shuffle(graph)
    add_before_shuffle(graph)
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


def affine_before_shuffle(graph: Graph) -> None:
    """Scale * x + offset behind DEPTH_TO_SPACE is the same before it, at the small size, where a convolution may take it over."""
    for node in list(graph.nodes.values()):
        if node.op != "affine":
            continue
        shuffle = graph.nodes[node.inputs[0]]
        if shuffle.op != "depth_to_space" or graph.only_user(shuffle.name) is not node:
            continue
        source = graph.nodes[shuffle.inputs[0]]
        copies = shuffle.attrs["scale"] ** 2
        weights = {key: np.tile(array, copies) if np.ndim(array) else array for key, array in node.weights.items()}
        graph.insert_before(node, Node(f"{node.name}.small", "affine", {}, weights, [source.name], source.shape))
        node.op, node.attrs, node.weights, node.inputs = "depth_to_space", dict(shuffle.attrs), {}, [f"{node.name}.small"]
    graph.prune(graph.output.name)


def merge_affines(graph: Graph) -> None:
    """Scale * x + offset behind a convolution that nothing else reads is in the convolution's kernel and bias."""
    for node in list(graph.nodes.values()):
        if node.op != "affine":
            continue
        made = graph.nodes[node.inputs[0]]
        if made.op not in LINEAR or graph.only_user(made.name) is not node:
            continue
        scale = np.broadcast_to(np.asarray(node.weights.get("scale", 1.0), np.float64), node.shape[-1])
        offset = np.broadcast_to(np.asarray(node.weights.get("offset", 0.0), np.float64), node.shape[-1])
        bias = made.weights.get("bias", np.zeros(node.shape[-1])).astype(np.float64)
        over = scale[:, None] if made.op == "depthwise_conv2d" else scale
        node.op, node.attrs, node.inputs = made.op, dict(made.attrs), list(made.inputs)
        node.weights = {"kernel": (_float64(made) * over).astype(np.float32), "bias": (bias * scale + offset).astype(np.float32)}
    graph.prune(graph.output.name)


def scale_into_convolutions(graph: Graph) -> None:
    """Scale * x that only convolutions read is in their kernels; exact at the border, as 0 maps to 0."""
    for node in list(graph.nodes.values()):
        if node.op != "affine" or set(node.weights) != {"scale"} or any(user.op not in LINEAR for user in graph.users(node.name)):
            continue
        scale = np.broadcast_to(np.asarray(node.weights["scale"], np.float64), node.shape[-1])
        for conv in graph.users(node.name):
            conv.weights["kernel"] = (_float64(conv) * scale[:, None]).astype(np.float32)
            conv.inputs = list(node.inputs)
    graph.prune(graph.output.name)


def nearest_to_shuffle(graph: Graph) -> None:
    """Nearest-neighbour enlargement of few channels is a 1x1 convolution by zeros and ones, then DEPTH_TO_SPACE: XNNPACK has both."""
    for node in list(graph.nodes.values()):
        if node.op != "resize_nearest" or node.shape[-1] > THIN_CHANNELS:
            continue
        scale, (batch, height, width, channels) = node.attrs["scale"], node.shape
        copies = np.tile(np.eye(channels, dtype=np.float32), (1, scale**2))[None, None]
        shape = (batch, height // scale, width // scale, channels * scale**2)
        graph.insert_before(node, Node(f"{node.name}.copies", "conv2d", {"dilation": 1}, {"kernel": copies}, list(node.inputs), shape))
        node.op, node.inputs = "depth_to_space", [f"{node.name}.copies"]


def add_before_shuffle(graph: Graph) -> None:
    """A sum of two shuffled tensors is the shuffled sum: one DEPTH_TO_SPACE, and the addition at the small size."""
    for node in list(graph.nodes.values()):
        if node.op != "add":
            continue
        terms = [graph.nodes[name] for name in node.inputs]
        shuffled = all(t.op == "depth_to_space" and graph.only_user(t.name) is node for t in terms)
        if not shuffled or len({t.attrs["scale"] for t in terms}) != 1:
            continue
        sources = [t.inputs[0] for t in terms]
        total = Node(f"{node.name}.small", "add", {}, {}, sources, graph.nodes[sources[0]].shape)
        graph.insert_before(node, total)
        node.op, node.attrs, node.inputs = "depth_to_space", dict(terms[0].attrs), [total.name]
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
