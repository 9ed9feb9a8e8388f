"""The last convolution of an int8 graph reads features and pixels together: neither of its two sums is rounded on the way.

`residual(A) + skip(P)`, with P the copied pixels in [0, 1], becomes one convolution of [A', P]. One convolution reads one
range, so the features are moved into the pixels': A' = A / (2 R) + 1/2. Outside the image both are padded with zeros, where
A' would have to be 1/2: the shift is therefore taken back by the two channels of P that sum to one inside and to zero
outside, tap by tap, and the border stays exact.
"""

import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR
from conversion.quantization.int8_graph import PATCHES

HEADROOM = 1.25  # of the features' extremes (of `equalisation`, without the outermost): further out they are clipped


def merge_tail(graph: Graph) -> None:
    """Merges where the graph ends in a sum of a convolution of the patches and one of equalised features; else does nothing.

    Args:
        graph: of `conversion.quantization.equalization.equalised`: the features' extremes are one.
    """
    total = graph.output
    while total.op == "depth_to_space":
        total = graph.nodes[total.inputs[0]]
    if total.op != "add" or PATCHES not in graph.nodes:
        return
    pair = [graph.nodes[name] for name in total.inputs]
    skip = next((node for node in pair if node.op == "conv2d" and node.inputs == [PATCHES]), None)
    residual = next((node for node in pair if node is not skip and node.op == "conv2d"), None)
    if skip is None or residual is None or skip.weights["kernel"].shape[:2] != residual.weights["kernel"].shape[:2]:
        return
    features = graph.nodes[residual.inputs[0]]
    alone = all(graph.only_user(node.name) is user for node, user in ((features, residual), (residual, total), (skip, total)))
    if features.op not in LINEAR or not alone or residual.attrs.get("dilation", 1) != 1:
        return
    _into_unit_range(features)
    middle = int(np.flatnonzero(graph.nodes[PATCHES].weights["kernel"].reshape(-1, skip.weights["kernel"].shape[2])[:, -1])[0])
    kernel, bias = _joint(residual, skip, middle)
    width = kernel.shape[2]
    both = Node(f"{total.name}.inputs", "concatenate", {"axis": -1}, {}, [features.name, PATCHES], (*features.shape[:-1], width))
    graph.insert_before(total, both)
    total.op, total.attrs, total.weights, total.inputs = "conv2d", {"dilation": 1}, {"kernel": kernel, "bias": bias}, [both.name]
    graph.prune(graph.output.name)


def _into_unit_range(node: Node) -> None:
    gain = 0.5 / HEADROOM
    bias = node.weights.get("bias", np.zeros(node.shape[-1], np.float32))
    node.weights = {"kernel": (node.weights["kernel"] * gain).astype(np.float32), "bias": (bias * gain + 0.5).astype(np.float32)}


def _joint(residual: Node, skip: Node, middle: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the one convolution, in float64 first; `middle` is the patch channel whose complement is the last."""
    features = residual.weights["kernel"].astype(np.float64) * (2 * HEADROOM)
    pixels = skip.weights["kernel"].astype(np.float64)
    shift = 0.5 * features.sum(axis=2)
    pixels[:, :, middle] -= shift
    pixels[:, :, -1] -= shift
    bias = np.sum([node.weights.get("bias", np.zeros(node.shape[-1])).astype(np.float64) for node in (residual, skip)], axis=0)
    return np.concatenate([features, pixels], axis=2).astype(np.float32), bias.astype(np.float32)
