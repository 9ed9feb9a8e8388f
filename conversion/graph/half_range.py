"""Powers of two that keep every intermediate of a graph inside half precision, exact in float32.

A convolution can give its output at any scale for free. The scale is undone by what follows: another convolution, or a
pixel norm (which divides it out; its epsilon is scaled along). A product carries the product of its factors' scales.
Released LKDN weights need it: their attention products reach 1e11, half precision ends at 65504.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from conversion.graph.hardware_limits import scale_to_target
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR


def within_half_range(graph: Graph, images: Iterable[np.ndarray]) -> Graph:
    """A graph of the same function whose free intermediates have magnitudes of about `HALF_TARGET` on these images.

    Args:
        graph: not changed.
        images: (1, H, W, 3) float32 in [0, 1], of any size.
    """
    free = [name for name in _free_nodes(graph) if graph.nodes[name].op in LINEAR]
    return rescale(graph, measure_ranges(graph, images, free)) if free else graph


def measure_ranges(graph: Graph, images: Iterable[np.ndarray], names: Iterable[str] | None = None) -> dict[str, float]:
    """Largest magnitude of nodes' values.

    Args:
        graph: any graph.
        images: (1, H, W, 3) float32 in [0, 1], of any size.
        names: of the nodes; all of them if None.

    Returns:
        node name -> largest absolute value over all images; inf where a value was not finite.
    """
    names = [name for name, node in graph.nodes.items() if node.op != "input"] if names is None else list(names)
    ranges = dict.fromkeys(names, 0.0)
    for image in images:
        values = graph.run(image)
        for name in names:
            largest = float(np.abs(np.asarray(values[name])).max())
            ranges[name] = max(ranges[name], largest if np.isfinite(largest) else np.inf)
    return ranges


def rescale(graph: Graph, ranges: Mapping[str, float]) -> Graph:
    """A graph of the same function whose free intermediates have magnitudes of about `HALF_TARGET`.

    Args:
        graph: not changed.
        ranges: of `measure_ranges`, of the free convolutions at least.
    """
    graph = graph.copy()
    free = _free_nodes(graph)
    scale: dict[str, float] = {}
    for node in graph.nodes.values():
        incoming = [scale[i] for i in node.inputs]
        if node.op in LINEAR:
            scale[node.name] = scale_to_target(ranges[node.name]) if node.name in free else 1.0
            _scale_weights(node, incoming[0], scale[node.name])
        elif node.op == "multiply":
            scale[node.name] = float(np.prod(incoming))
        else:
            if node.op == "pixel_norm":
                node.attrs["epsilon"] = node.attrs["epsilon"] * incoming[0] ** 2
            scale[node.name] = 1.0
    return graph


def _free_nodes(graph: Graph) -> set[str]:
    """Nodes whose value may be scaled: everything that reads them undoes the scale or passes it to something that does."""
    free: set[str] = set()
    for node in reversed(graph.nodes.values()):
        users = graph.users(node.name)
        if users and all(user.op in (*LINEAR, "pixel_norm") or (user.op == "multiply" and user.name in free) for user in users):
            free.add(node.name)
    return free


def _scale_weights(node: Node, incoming: float, outgoing: float) -> None:
    node.weights["kernel"] = node.weights["kernel"] * np.float32(outgoing / incoming)
    if "bias" in node.weights:
        node.weights["bias"] = node.weights["bias"] * np.float32(outgoing)
