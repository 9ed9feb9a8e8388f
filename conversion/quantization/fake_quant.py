"""From a graph and the ranges of its tensors to a full-integer .tflite: the ranges are stated, not left to the converter.

TFLiteConverter's own calibration gives a dilated convolution the scale of the product behind it, which ruins these
networks. A FAKE_QUANT after every operation states the range instead; the converter turns it into scale and zero point.
"""

from collections.abc import Mapping

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import OPS
from conversion.graph.to_keras import to_keras
from conversion.quantization.int8_graph import PATCHES
from conversion.tflite.converter import run_converter

Ranges = dict[str, tuple[float, float]]
"""Node name -> (low, high) of its value, low <= 0 <= high. A node that is missing stays in float."""

STEPS = 255  # between the 256 values of 8 bits
UNIT_RANGE = (0.0, 1.0)


def range_groups(graph: Graph) -> list[list[str]]:
    """The nodes that must share a range, as lists of names; every node is in exactly one."""
    same = DisjointSet(graph.nodes)
    for node in graph.nodes.values():
        if OPS[node.op].moves_values:  # its integer kernel wants input and output in one range
            for name in node.inputs:
                same.merge(name, node.name)
    groups: dict[str, list[str]] = {}
    for name in graph.nodes:
        groups.setdefault(same[name], []).append(name)
    return list(groups.values())


def fixed_ranges(graph: Graph) -> Ranges:
    """The ranges that are not a choice: the image, its patches and the result in [0, 1], and those that kernels insist on."""
    insisted = {n.name: OPS[n.op].unit_range for n in graph.nodes.values()}
    fixed: Ranges = {}
    unit = {n.name for n in graph.nodes.values() if n.op == "input" or n.name in (PATCHES, graph.output.name)}
    for names in range_groups(graph):
        if unit & set(names):
            fixed |= dict.fromkeys(names, UNIT_RANGE)
        for one in filter(None, (insisted[name] for name in names)):
            fixed |= dict.fromkeys(names, one)
    return fixed


def nudged(low: float, high: float) -> tuple[float, float]:
    """(scale, integer zero point counted from `low`) of a range, moved by at most half a step so that 0 is a whole step."""
    scale = (high - low) / STEPS
    return scale, float(np.clip(np.round(-low / scale), 0, STEPS))


def with_fake_quant(graph: Graph, ranges: Mapping[str, tuple[float, float]]) -> Graph:
    """The graph with a `fake_quant` node behind every node that has a range; a simulation of the integer file.

    Args:
        graph: not changed.
        ranges: a node that is missing stays in float.
    """
    nodes: list[Node] = []
    stand_in: dict[str, str] = {}
    for node in graph.copy().nodes.values():
        node.inputs = [stand_in.get(i, i) for i in node.inputs]
        nodes.append(node)
        if node.name in ranges:
            low, high = ranges[node.name]
            attrs = {"low": float(low), "high": float(high)}
            nodes.append(Node(f"{node.name}.q", "fake_quant", attrs, {}, [node.name], node.shape))
            stand_in[node.name] = nodes[-1].name
    return Graph(nodes)


def int8_tflite(graph: Graph, ranges: Mapping[str, tuple[float, float]], height: int, width: int, io: str = "int8") -> bytes:
    """Converts to int8 with the given ranges; weights per output channel, their scale the row's largest magnitude / 127.

    Args:
        graph: of float weights (rounded to their grid already, if rounding to nearest is not good enough).
        ranges: of every node, or of those that are to be int8; input and output among them.
        height: static input, low-resolution pixels.
        width: static input, low-resolution pixels.
        io: "int8" or "uint8", dtype of input and output.

    Raises:
        ConversionError: the converter refuses the graph.
    """
    import tensorflow as tf

    def options(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)

    return run_converter(to_keras(with_fake_quant(graph, ranges), height, width), options)
