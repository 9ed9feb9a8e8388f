"""Post-training quantization: from a network and photos to a graph whose weights lie on the int8 grid, and its ranges."""

from collections.abc import Mapping

import numpy as np

from conversion.graph.ir import Graph
from conversion.quantization.channel_split import rounding_noise, split_by_range
from conversion.quantization.equalization import equalised
from conversion.quantization.fake_quant import Ranges, fixed_ranges, range_groups
from conversion.quantization.fused_tail import merge_tail
from conversion.quantization.gptq import rounded
from conversion.quantization.int8_graph import int8_graph
from conversion.quantization.ranges import find_ranges
from conversion.quantization.sensitivity import Trace, trace

CALIBRATION_TILE = 48  # low-resolution pixels
CROPS = 64
TRACED = 14  # crops whose every value is kept
RESCALED = 8  # crops that the powers of two are measured on: they need no more than the order of magnitude


def int8_form(graph: Graph, images: np.ndarray) -> Graph:
    """The float graph that quantizes well: exact rewrites, channels centred and equalised on the images.

    Args:
        graph: plain, of the deploy form; not changed.
        images: (N, H, W, 3) float32 in [0, 1], low-resolution crops of photos.

    Raises:
        ConversionError: an operation that has no int8 form here.
    """
    graph = int8_graph(graph, images[:RESCALED])
    graph = equalised(graph, images)
    merge_tail(graph)
    return graph


def ranged(graph: Graph, images: np.ndarray) -> tuple[Graph, Trace, Ranges]:
    """The int8 graph of a network with its float weights, its trace on the images, and the ranges of its tensors.

    Args:
        graph: plain, of the deploy form; not changed.
        images: as in `int8_form`.

    Raises:
        ConversionError: an operation that has no int8 form here.
    """
    graph = int8_form(graph, images)
    ranges = find_ranges(graph, images)
    split, traced = split_by_range(graph, trace(graph, images[:TRACED]), ranges)
    return split, traced, ranges if split.nodes.keys() == graph.nodes.keys() else find_ranges(split, images)


def quantize(graph: Graph, images: np.ndarray, in_float: int = 0) -> tuple[Graph, Ranges, dict[str, float]]:
    """The int8 graph of a network, its weights rounded to their grid, the ranges of its tensors and their `rounding_noise`.

    Args:
        graph: plain, of the deploy form; not changed.
        images: as in `int8_form`.
        in_float: how many of the tensors whose rounding hurts most get no range and stay in float; those in one range count once.

    Raises:
        ConversionError: an operation that has no int8 form here.
    """
    graph, traced, ranges = ranged(graph, images)
    noise = rounding_noise(graph, traced, ranges)
    for names in worst_first(graph, noise)[:in_float]:
        for name in names:
            del ranges[name]
    return rounded(graph, ranges, images[:TRACED], traced.weights), ranges, noise


def worst_first(graph: Graph, noise: Mapping[str, float]) -> list[list[str]]:
    """The tensors with a range of their choice, those that share one together, by what their rounding does to the output.

    Args:
        graph: of `ranged`.
        noise: of `rounding_noise`.
    """
    fixed = fixed_ranges(graph)
    groups = [names for names in range_groups(graph) if names[0] not in fixed]
    return sorted(groups, key=lambda names: sum(noise.get(name, 0.0) for name in names), reverse=True)
