"""Whole-image statistics for a network that is run in tiles: a graph that takes them as an input and gives its tile's share.

A channel attention gates by the mean and deviation of a map over the whole image, which a tile does not see: each tile would
gate differently, and seams show at any overlap. Here every such statistic becomes a slice of the input "statistics", and the
moments of its map over the tile's core become a slice of the output "moments", so that the tiles' moments can be merged.
"""

import numpy as np

from conversion.graph.ir import Graph, Node


def has_statistics(graph: Graph) -> bool:
    """True if a node of the graph reads the whole image."""
    return any(node.op == "contrast" for node in graph.nodes.values())


def with_statistics_input(graph: Graph) -> Graph:
    """A graph of the same function whose statistics come from outside.

    Inputs: "image" (1, H, W, 3); "core" (1, H, W, 1), 1 where a pixel counts, 0 in the halo; "statistics" (1, 1, 1, K), mean
    and deviation added, epsilon included, of the K channels of all maps in order.
    Outputs: its output, and node "moments" (1, 1, 1, 2 K): the core's means, then its (biased) variances.
    """
    graph = graph.copy()
    contrasts = [node for node in graph.nodes.values() if node.op == "contrast"]
    total = sum(node.shape[-1] for node in contrasts)
    image = next(node for node in graph.nodes.values() if node.op == "input")
    inputs = [Node("core", "input", shape=(*image.shape[:3], 1)), Node("statistics", "input", shape=(1, 1, 1, total))]
    means, variances, start = [], [], 0
    for node in contrasts:
        size = node.shape[-1]
        mean = Node(f"{node.name}.mean", "core_mean", {}, {}, [node.inputs[0], "core"], node.shape)
        variance = Node(f"{node.name}.variance", "core_variance", {}, {}, [node.inputs[0], "core", mean.name], node.shape)
        means.append(mean)
        variances.append(variance)
        node.op, node.attrs, node.inputs = "slice_channels", {"start": start, "size": size}, ["statistics"]
        start += size
    moments = Node("moments", "concatenate", {"axis": -1}, {}, [n.name for n in [*means, *variances]], (1, 1, 1, 2 * total))
    *body, last = graph.nodes.values()
    return Graph([*inputs, *body, *means, *variances, moments, last])


def epsilon_of(graph: Graph) -> np.ndarray:
    """(K,) float64: what is added to the variance of each channel under the root, in the order of "statistics"."""
    contrasts = [node for node in graph.nodes.values() if node.op == "contrast"]
    return np.concatenate([np.full(node.shape[-1], node.attrs["epsilon"], np.float64) for node in contrasts])


def exact_sweeps(graph: Graph) -> int:
    """Passes over an image after which its statistics are exact: how many of them lie one behind another."""
    depth: dict[str, int] = {}
    for node in graph.nodes.values():
        depth[node.name] = max((depth[i] for i in node.inputs), default=0) + (node.op == "contrast")
    return max(depth.values())
