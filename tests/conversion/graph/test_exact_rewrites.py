"""Each exact rewrite on a small graph, where it holds and where it must not act; the whole chain on every preset."""

import numpy as np
import pytest
from support.graphs import Nodes, value_of

from conversion.graph.exact_rewrites import (
    centre_norm_inputs,
    merge_repeated_inputs,
    merge_thin_pointwise,
    nest_concatenations,
    scale_into_convolutions,
)
from conversion.graph.half_range import measure_ranges, rescale
from conversion.graph.hardware_limits import HALF_TARGET
from conversion.graph.ir import Graph, Node


@pytest.fixture
def nodes(rng):
    return Nodes(rng, 9, 8)


def same_function(before, after, tolerance=2e-5):
    image = np.random.default_rng(0).random((2, 9, 8, before.nodes["image"].shape[-1]), np.float32)
    outputs = [value_of(graph, image) for graph in (before, after)]
    return np.abs(outputs[0] - outputs[1]).max() <= tolerance * max(1.0, np.abs(outputs[0]).max())


def rewritten(graph, rewrite):
    changed = graph.copy()
    rewrite(changed)
    assert same_function(graph, changed)
    return changed


def ops(graph):
    return [node.op for node in graph.nodes.values()]


def test_repeated_input_is_merged(nodes):
    cat = nodes.node("cat", "concatenate", ["image"] * 4, 12, axis=-1)
    graph = Graph([nodes.image(), cat, nodes.conv("head", "cat", (1, 1, 12, 6))])
    assert ops(rewritten(graph, merge_repeated_inputs)) == ["input", "conv2d"]


def test_repeated_input_with_a_second_reader_is_left(nodes):
    cat = nodes.node("cat", "concatenate", ["image"] * 4, 12, axis=-1)
    graph = Graph([nodes.image(), cat, nodes.conv("head", "cat", (1, 1, 12, 12)), nodes.node("sum", "add", ["head", "cat"], 12)])
    assert ops(rewritten(graph, merge_repeated_inputs)) == ops(graph)


def test_thin_pointwise_is_merged_and_exact_at_the_border(nodes):
    pw = nodes.conv("pw", "image", (1, 1, 3, 6), bias=False)
    graph = Graph([nodes.image(), pw, nodes.conv("dw", "pw", (3, 3, 6, 1), op="depthwise_conv2d")])
    assert ops(rewritten(graph, merge_thin_pointwise)) == ["input", "conv2d"]


@pytest.mark.parametrize("why", ["bias", "wide"])
def test_pointwise_with_bias_or_many_inputs_is_left(why, nodes):
    channels = 3 if why == "bias" else 7
    pw = nodes.conv("pw", "image", (1, 1, channels, 6), bias=why == "bias")
    graph = Graph([nodes.image(channels), pw, nodes.conv("dw", "pw", (3, 3, 6, 1), op="depthwise_conv2d")])
    assert ops(rewritten(graph, merge_thin_pointwise)) == ops(graph)


def scaled(nodes, **weights):
    """The image scaled and shifted, then read by a padded convolution."""
    affine = Node("affine", "affine", {}, {key: np.float32(value) for key, value in weights.items()}, ["image"], (1, 9, 8, 3))
    return Graph([nodes.image(), affine, nodes.conv("conv", "affine", (3, 3, 3, 6))])


@pytest.mark.parametrize("scale", [255.0, [1.0, 2.0, 0.5]])
def test_scale_before_convolutions_is_merged_and_exact_at_the_border(scale, nodes):
    assert ops(rewritten(scaled(nodes, scale=scale), scale_into_convolutions)) == ["input", "conv2d"]


def test_shift_before_a_padded_convolution_is_left(nodes):
    graph = scaled(nodes, scale=255.0, offset=-0.5)
    assert ops(rewritten(graph, scale_into_convolutions)) == ops(graph)


def test_norm_input_is_centred(nodes):
    graph = rewritten(Graph([nodes.image(), nodes.conv("c", "image", (1, 1, 3, 6)), nodes.norm("c", 6)]), centre_norm_inputs)
    assert graph.nodes["norm"].attrs["centred"]


def test_norm_input_that_something_else_reads_is_left(nodes):
    made = [nodes.image(), nodes.conv("c", "image", (1, 1, 3, 6)), nodes.norm("c", 6)]
    graph = Graph([*made, nodes.node("sum", "add", ["norm", "c"], 6)])
    assert not rewritten(graph, centre_norm_inputs).nodes["norm"].attrs["centred"]


def test_long_concatenation_is_nested_in_order(nodes):
    convs = [nodes.conv(f"c{i}", "image", (1, 1, 3, 2)) for i in range(11)]
    graph = Graph([nodes.image(), *convs, nodes.node("cat", "concatenate", [c.name for c in convs], 22, axis=-1)])
    nested = rewritten(graph, nest_concatenations)
    assert max(len(n.inputs) for n in nested.nodes.values()) <= 5


def test_rescaling_is_exact_and_brings_magnitudes_to_the_target(nodes, rng):
    """A block whose product explodes: 1x1, depthwise, product, 1x1, norm."""
    a, b = nodes.conv("a", "image", (1, 1, 3, 6)), nodes.conv("b", "a", (5, 5, 6, 1), op="depthwise_conv2d", dilation=3)
    a.weights["kernel"] *= 1e4
    c = nodes.conv("c", "product", (1, 1, 6, 6))
    graph = Graph([nodes.image(), a, b, nodes.node("product", "multiply", ["a", "b"], 6), c, nodes.norm("c", 6)])
    image = rng.random((1, 9, 8, 3), np.float32)
    ranges = measure_ranges(graph, [image])
    assert ranges["product"] > 65504 and ranges["c"] > 65504
    scaled = rescale(graph, ranges)
    outputs = [value_of(g, image) for g in (graph, scaled)]
    assert np.array_equal(*outputs)  # powers of two: not even a rounding differs
    after = measure_ranges(scaled, [image])
    assert all(HALF_TARGET / 2 <= after[name] <= HALF_TARGET * 2 for name in ("a", "b", "c"))


def test_rescaling_leaves_what_nothing_undoes(nodes, rng):
    """An output read by a GELU or a sum keeps its scale, however large."""
    a = nodes.conv("a", "image", (1, 1, 3, 6))
    a.weights["kernel"] *= 1e4
    graph = Graph([nodes.image(), a, nodes.node("g", "gelu", ["a"], 6, approximate=False)])
    scaled = rescale(graph, measure_ranges(graph, [rng.random((1, 9, 8, 3), np.float32)]))
    assert np.array_equal(scaled.nodes["a"].weights["kernel"], a.weights["kernel"])
