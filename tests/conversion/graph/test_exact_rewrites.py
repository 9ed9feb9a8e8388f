"""Each exact rewrite on a small graph, where it holds and where it must not act; the whole chain on every preset."""

import keras
import numpy as np
import pytest
from support.networks import randomise

from conversion.graph.exact_rewrites import (
    centre_norm_inputs,
    deploy_graph,
    merge_repeated_inputs,
    merge_thin_pointwise,
    nest_concatenations,
)
from conversion.graph.from_keras import graph_of
from conversion.graph.half_range import measure_ranges, rescale
from conversion.graph.hardware_limits import HALF_TARGET
from conversion.graph.ir import Graph, Node
from conversion.graph.to_keras import to_keras
from keras_models.checkpoints.loading import build_preset
from keras_models.folding import fold
from keras_models.registry import PRESETS

RNG = np.random.default_rng(0)


def weights(*shape):
    return RNG.standard_normal(shape).astype("float32")


def image_node(channels=3):
    return Node("image", "input", shape=(1, 9, 8, channels))


def conv(name, source, kernel, bias=True, op="conv2d", **attrs):
    channels = kernel[2] if op == "depthwise_conv2d" else kernel[3]
    arrays = {"kernel": weights(*kernel), **({"bias": weights(channels)} if bias else {})}
    return Node(name, op, attrs, arrays, [source], (1, 9, 8, channels))


def same_function(before, after, tolerance=2e-5):
    image = RNG.random((2, 9, 8, before.nodes["image"].shape[-1]), np.float32)
    outputs = [np.asarray(keras.ops.convert_to_numpy(to_keras(g, None, None)(image)["upscaled"])) for g in (before, after)]
    return np.abs(outputs[0] - outputs[1]).max() <= tolerance * max(1.0, np.abs(outputs[0]).max())


def rewritten(graph, rewrite):
    changed = graph.copy()
    rewrite(changed)
    assert same_function(graph, changed)
    return changed


def ops(graph):
    return [node.op for node in graph.nodes.values()]


def test_repeated_input_is_merged():
    cat = Node("cat", "concatenate", {"axis": -1}, {}, ["image"] * 4, (1, 9, 8, 12))
    graph = Graph([image_node(), cat, conv("head", "cat", (1, 1, 12, 6))])
    assert ops(rewritten(graph, merge_repeated_inputs)) == ["input", "conv2d"]


def test_repeated_input_with_a_second_reader_is_left():
    cat = Node("cat", "concatenate", {"axis": -1}, {}, ["image"] * 4, (1, 9, 8, 12))
    graph = Graph([image_node(), cat, conv("head", "cat", (1, 1, 12, 12)), Node("sum", "add", {}, {}, ["head", "cat"], (1, 9, 8, 12))])
    assert ops(rewritten(graph, merge_repeated_inputs)) == ops(graph)


def test_thin_pointwise_is_merged_and_exact_at_the_border():
    graph = Graph([image_node(), conv("pw", "image", (1, 1, 3, 6), bias=False), conv("dw", "pw", (3, 3, 6, 1), op="depthwise_conv2d")])
    assert ops(rewritten(graph, merge_thin_pointwise)) == ["input", "conv2d"]


@pytest.mark.parametrize("why", ["bias", "wide"])
def test_pointwise_with_bias_or_many_inputs_is_left(why):
    channels = 3 if why == "bias" else 7
    pw = conv("pw", "image", (1, 1, channels, 6), bias=why == "bias")
    graph = Graph([image_node(channels), pw, conv("dw", "pw", (3, 3, 6, 1), op="depthwise_conv2d")])
    assert ops(rewritten(graph, merge_thin_pointwise)) == ops(graph)


def norm(source):
    arrays = {"gamma": weights(6), "beta": weights(6)}
    return Node("norm", "pixel_norm", {"epsilon": 1e-5, "centred": False}, arrays, [source], (1, 9, 8, 6))


def test_norm_input_is_centred():
    graph = rewritten(Graph([image_node(), conv("c", "image", (1, 1, 3, 6)), norm("c")]), centre_norm_inputs)
    assert graph.nodes["norm"].attrs["centred"]


def test_norm_input_that_something_else_reads_is_left():
    nodes = [image_node(), conv("c", "image", (1, 1, 3, 6)), norm("c"), Node("sum", "add", {}, {}, ["norm", "c"], (1, 9, 8, 6))]
    assert not rewritten(Graph(nodes), centre_norm_inputs).nodes["norm"].attrs["centred"]


def test_long_concatenation_is_nested_in_order():
    convs = [conv(f"c{i}", "image", (1, 1, 3, 2)) for i in range(11)]
    graph = Graph([image_node(), *convs, Node("cat", "concatenate", {"axis": -1}, {}, [c.name for c in convs], (1, 9, 8, 22))])
    nested = rewritten(graph, nest_concatenations)
    assert max(len(n.inputs) for n in nested.nodes.values()) <= 5


@pytest.mark.parametrize("name", PRESETS)
def test_deploy_graph_of_every_preset_with_random_weights(name):
    deploy = fold(randomise(build_preset(PRESETS[name])))
    plain, graph = graph_of(deploy), deploy_graph(deploy, 64, 64)
    image = RNG.random((1, 21, 34, 3), np.float32)
    before = keras.ops.convert_to_numpy(to_keras(plain, None, None)(image)["upscaled"])
    images = [image, RNG.random((1, 16, 16, 3), np.float32)]
    for candidate in (graph, rescale(graph, measure_ranges(graph, images))):
        after = keras.ops.convert_to_numpy(to_keras(candidate, None, None)(image)["upscaled"])
        assert np.abs(np.clip(before, 0, 1) - after).max() <= 2e-5


def test_rescaling_is_exact_and_brings_magnitudes_to_the_target():
    """A block whose product explodes: 1x1, depthwise, product, 1x1, norm."""
    a, b = conv("a", "image", (1, 1, 3, 6)), conv("b", "a", (5, 5, 6, 1), op="depthwise_conv2d", dilation=3)
    a.weights["kernel"] *= 1e4
    c = conv("c", "product", (1, 1, 6, 6))
    graph = Graph([image_node(), a, b, Node("product", "multiply", {}, {}, ["a", "b"], (1, 9, 8, 6)), c, norm("c")])
    image = RNG.random((1, 9, 8, 3), np.float32)
    ranges = measure_ranges(graph, [image])
    assert ranges["product"] > 65504 and ranges["c"] > 65504
    scaled = rescale(graph, ranges)
    outputs = [keras.ops.convert_to_numpy(to_keras(g, None, None)(image)["upscaled"]) for g in (graph, scaled)]
    assert np.array_equal(*outputs)  # powers of two: not even a rounding differs
    after = measure_ranges(scaled, [image])
    assert all(HALF_TARGET / 2 <= after[name] <= HALF_TARGET * 2 for name in ("a", "b", "c"))


def test_rescaling_leaves_what_nothing_undoes():
    """An output read by a GELU or a sum keeps its scale, however large."""
    a = conv("a", "image", (1, 1, 3, 6))
    a.weights["kernel"] *= 1e4
    graph = Graph([image_node(), a, Node("g", "gelu", {"approximate": False}, {}, ["a"], (1, 9, 8, 6))])
    scaled = rescale(graph, measure_ranges(graph, [RNG.random((1, 9, 8, 3), np.float32)]))
    assert np.array_equal(scaled.nodes["a"].weights["kernel"], a.weights["kernel"])
