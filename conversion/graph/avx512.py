"""Exact rewrites for processors that compute on 16 floats at once, for the files that computers run; measured in docs/speed.md.

XNNPACK's AVX-512 kernels work on 16 channels, its k x k convolutions on 32 filters at a time. Where a layer leaves most of
the last group empty, it is cheaper to ask for other shapes of the same function. Phones have narrower vectors and would pay for nothing.
"""

import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import OPS

VECTOR = 16
_FILTERS = 2 * VECTOR  # of one pass of a k x k convolution; one of at most 16 filters gets a pass of 16
_LARGE_KERNEL = 5


def for_wide_vectors(graph: Graph) -> Graph:
    """A graph of the same function, quicker on AVX-512.

    Args:
        graph: not changed.
    """
    graph = graph.copy()
    split_filters(graph)
    pad_large_kernels(graph)
    return graph


def split_filters(graph: Graph) -> None:
    """A k x k convolution of 48 filters is computed as one of 64: as one of 32 and one of 16, concatenated, it is not."""
    for node in list(graph.nodes.values()):
        if node.op != "conv2d" or node.weights["kernel"].shape[:2] == (1, 1):
            continue
        filters = node.weights["kernel"].shape[-1]
        rest = filters % _FILTERS
        if filters < _FILTERS or not 0 < rest <= VECTOR:
            continue
        parts = []
        for first, last in ((0, filters - rest), (filters - rest, filters)):
            weights = {key: array[..., first:last] for key, array in node.weights.items()}
            shape = (*node.shape[:-1], last - first)
            part = Node(f"{node.name}.from{first}", "conv2d", dict(node.attrs), weights, list(node.inputs), shape)
            graph.insert_before(node, part)
            parts.append(part.name)
        node.op, node.attrs, node.weights, node.inputs = "concatenate", {"axis": -1}, {}, parts


def pad_large_kernels(graph: Graph) -> None:
    """Large depthwise convolutions get channels of zeros up to whole vectors, whose loads then never cross a cache line.

    Only where the zeros are few (less than half a vector) and never leave: from the convolutions that make them, through
    depthwise convolutions and products, to convolutions that do not read them.
    """
    done: set[str] = set()
    for node in list(graph.nodes.values()):
        channels = node.shape[-1]
        if node.op != "depthwise_conv2d" or node.weights["kernel"].shape[0] < _LARGE_KERNEL or channels % VECTOR <= VECTOR // 2:
            continue
        region = _region(graph, node)
        if node.name not in done and _keeps_zeros(graph, region):
            _pad(graph, region, channels, -channels % VECTOR)
        done |= region


def _region(graph: Graph, start: Node) -> set[str]:
    """Names of the nodes that must have the same channels as `start`: what it is made of and what it goes through."""
    region, stack = set(), [start.name]
    while stack:
        name = stack.pop()
        if name in region:
            continue
        region.add(name)
        node = graph.nodes[name]
        stack.extend(user.name for user in graph.users(name) if OPS[user.op].zero_to_zero)
        if OPS[node.op].zero_to_zero:
            stack.extend(node.inputs)
    return region


def _keeps_zeros(graph: Graph, region: set[str]) -> bool:
    nodes = [graph.nodes[name] for name in region]
    made = all((node.op == "conv2d" or OPS[node.op].zero_to_zero) and node is not graph.output for node in nodes)
    alike = len({node.shape[-1] for node in nodes}) == 1  # a gate of one channel is no part of the region's
    return made and alike and all(user.name in region or user.op == "conv2d" for node in nodes for user in graph.users(node.name))


def _pad(graph: Graph, region: set[str], channels: int, extra: int) -> None:
    for node in graph.nodes.values():
        kernel = node.weights.get("kernel")
        reads = kernel is not None and node.op == "conv2d" and node.inputs[0] in region
        if reads:
            node.weights["kernel"] = kernel = np.pad(node.weights["kernel"], [(0, 0), (0, 0), (0, extra), (0, 0)])
        if node.name not in region:
            continue
        node.shape = (*node.shape[:-1], channels + extra)
        if kernel is not None:
            axis = 2 if node.op == "depthwise_conv2d" else 3
            node.weights["kernel"] = np.pad(kernel, [(0, extra if a == axis else 0) for a in range(4)])
        if "bias" in node.weights:
            node.weights["bias"] = np.pad(node.weights["bias"], (0, extra))
