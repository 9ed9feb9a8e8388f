"""A 1x1 convolution of a concatenation becomes a sum of convolutions of its parts, where the parts want ranges of their own.

The integer CONCATENATION wants one range for all that it joins. Where a part's values are a hundredth of another's, they
keep no more than two of the 256 steps; SPAN joins its head, its first and its last block so. The sum is exact.
"""

import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.quantization.channel_split import GAIN, SHARE, rounding_noise
from conversion.quantization.fake_quant import Ranges
from conversion.quantization.sensitivity import Trace


def split_concatenations(graph: Graph, traced: Trace, ranges: Ranges) -> Graph:
    """Splits where the rounding noise that reaches the output falls enough.

    Args:
        graph: float, equalised; not changed.
        traced: of it.
        ranges: of it.

    Returns:
        The new graph; the same nodes if nothing was split.
    """
    graph = graph.copy()
    noise = rounding_noise(graph, traced, ranges)
    for node in list(graph.nodes.values()):
        reader = graph.only_user(node.name)
        pointwise = reader is not None and reader.op == "conv2d" and reader.weights["kernel"].shape[:2] == (1, 1)
        if node.op != "concatenate" or not pointwise or len(set(node.inputs)) < len(node.inputs):
            continue
        own = {name: _extremes(traced.values[name]) for name in node.inputs}
        together = sum(noise.get(name, 0.0) for name in node.inputs)
        apart = sum(noise.get(name, 0.0) * (_width(own[name]) / _width(ranges[name])) ** 2 for name in node.inputs)
        if together >= SHARE * sum(noise.values()) and apart < GAIN * together:
            _read_apart(graph, node, reader)
    graph.prune(graph.output.name)
    return graph


def _extremes(values: np.ndarray) -> tuple[float, float]:
    return min(float(values.min()), 0.0), max(float(values.max()), 0.0)


def _width(ends: tuple[float, float]) -> float:
    return max(ends[1] - ends[0], 1e-6)


def _read_apart(graph: Graph, node: Node, reader: Node) -> None:
    """One convolution a part, the bias with the first, and a chain of additions under the reader's name."""
    kernel, start, total = reader.weights["kernel"], 0, ""
    for index, name in enumerate(node.inputs):
        stop = start + graph.nodes[name].shape[-1]
        weights = {"kernel": kernel[:, :, start:stop]} | ({"bias": reader.weights["bias"]} if index == 0 and "bias" in reader.weights else {})
        part = Node(f"{reader.name}.{index}", "conv2d", dict(reader.attrs), weights, [name], reader.shape)
        graph.insert_before(reader, part)
        start = stop
        if index == len(node.inputs) - 1:
            reader.op, reader.attrs, reader.weights, reader.inputs = "add", {}, {}, [total, part.name]
        elif index:
            graph.insert_before(reader, Node(f"{reader.name}.sum{index}", "add", {}, {}, [total, part.name], reader.shape))
            total = f"{reader.name}.sum{index}"
        else:
            total = part.name
