"""The rewrites for 8 bits leave the function as it is, border included, and reach what they are for."""

from functools import partial

import numpy as np
import pytest
from support.graphs import Nodes, value_of
from support.networks import randomise

from conversion.graph.from_keras import graph_of
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import KERNEL, OPS
from conversion.quantization.channel_split import rounding_noise, split_by_range
from conversion.quantization.equalization import centre, channel_extremes, equalise, equalised
from conversion.quantization.fake_quant import fixed_ranges, range_groups
from conversion.quantization.fused_tail import merge_tail
from conversion.quantization.int8_graph import PATCHES, free_addends, image_skip, int8_graph, integer_forms
from conversion.quantization.ranges import best_range, find_ranges, histograms
from conversion.quantization.sensitivity import trace
from keras_models.lkdn import LKDN

IMAGES = np.random.default_rng(0).random((3, 20, 18, 3), np.float32)


@pytest.fixture
def nodes(rng):
    return Nodes(rng, 20, 18)


def value(graph, images=IMAGES):
    return value_of(graph, images)


def tail(nodes, head_kernel=(3, 3, 3, 6)):
    return Graph(
        [
            nodes.image(),
            nodes.conv("head", "image", head_kernel),
            nodes.conv("body", "image", (1, 1, 3, 6)),
            nodes.node("g", "gelu", ["body"], 6, approximate=False),
            nodes.node("sum", "add", ["g", "head"], 6),
            nodes.conv("up", "sum", (3, 3, 6, 12)),
            Node("shuffle", "depth_to_space", {"scale": 2}, {}, ["up"], (1, 40, 36, 3)),
        ]
    )


def test_pointwise_readers_of_the_head_read_the_patches(nodes):
    graph = tail(nodes)
    found = list(graph.nodes.values())
    found[2].inputs = ["head"]
    found[2].weights = {"kernel": nodes.weights(1, 1, 6, 6), "bias": nodes.weights(6)}
    graph = Graph(found)
    before = value(graph)
    image_skip(graph)
    assert graph.nodes["body"].inputs == [PATCHES] and "head" not in graph.nodes
    assert np.abs(value(graph) - before).max() <= 1e-5


@pytest.mark.parametrize("head_kernel", [(1, 1, 3, 6), (3, 3, 3, 6), (5, 5, 3, 6)])
def test_image_skip_is_exact_up_to_the_border(head_kernel, nodes):
    graph = tail(nodes, head_kernel)
    before = value(graph)
    image_skip(graph)
    assert PATCHES in graph.nodes and "head" not in graph.nodes
    assert np.abs(value(graph) - before).max() <= 1e-5


def test_patches_copy_pixels_without_rounding(nodes):
    graph = tail(nodes)
    image_skip(graph)
    kernel = graph.nodes[PATCHES].weights["kernel"].reshape(-1, graph.nodes[PATCHES].shape[-1])
    assert set(np.unique(np.abs(kernel))) == {0.0, 1.0} and (np.abs(kernel).sum(axis=0) == 1).all()


def test_merged_tail_is_exact_up_to_the_border(nodes):
    graph = tail(nodes)
    found = list(graph.nodes.values())
    found.insert(4, nodes.conv("last", "g", (3, 3, 6, 1), "depthwise_conv2d"))
    found[5].inputs = ["last", "head"]
    graph = Graph(found)
    before = value(graph)
    image_skip(graph)
    merge_tail(graph)
    assert "image_skip" not in graph.nodes and graph.nodes["up"].op == "conv2d"
    assert fixed_ranges(graph)["last"] == fixed_ranges(graph)[PATCHES] == (0.0, 1.0)
    assert np.abs(value(graph) - before).max() <= 1e-5


def test_image_skip_leaves_a_sum_with_another_reader(nodes):
    graph = tail(nodes)
    found = list(graph.nodes.values())
    extra = nodes.node("both", "add", ["sum", "g"], 6)
    found.insert(5, extra)
    found[6].inputs = ["both"]
    graph = Graph(found)
    image_skip(graph)
    assert PATCHES not in graph.nodes


@pytest.mark.parametrize("centred", [False, True])
def test_norm_becomes_products(centred, nodes):
    made = nodes.conv("c", "image", (1, 1, 3, 6))
    if centred:
        made.weights = {key: array - array.mean(axis=-1, keepdims=True) for key, array in made.weights.items()}
    graph = Graph([nodes.image(), made, nodes.norm("c", 6, epsilon=1e-3, centred=centred)])
    before = value(graph)
    integer_forms(graph)
    assert not any(node.op == "pixel_norm" for node in graph.nodes.values())
    assert np.abs(value(graph) - before).max() <= 1e-5


@pytest.fixture(scope="module")
def network():
    return randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=3), seed=5)


@pytest.fixture(scope="module")
def form(network):
    return int8_graph(graph_of(network, 20, 18), IMAGES)


def test_whole_network_keeps_its_function_through_every_step(network, form):
    expected = value(graph_of(network, 20, 18))
    tolerance = 2e-4 * np.abs(expected).max()
    extremes = channel_extremes(form, IMAGES)
    centred = centre(form, extremes)
    for graph in (form, centred, equalise(form, extremes), equalised(form, IMAGES)):
        assert np.abs(value(graph) - expected).max() <= tolerance
    assert all(OPS[node.op].int8 is KERNEL for node in form.nodes.values())
    copied = equalised(form, IMAGES).nodes[PATCHES].weights["kernel"]
    assert np.array_equal(copied, form.nodes[PATCHES].weights["kernel"])


def test_equalised_channels_reach_the_same_extreme(form):
    """What only convolutions read, and was made by one, fills its range in every channel; before it did not."""
    after = channel_extremes(equalised(form, IMAGES), IMAGES)
    before = channel_extremes(form, IMAGES)
    linear = ("conv2d", "depthwise_conv2d")
    made = [n for n in form.nodes.values() if n.op in linear and n.name != PATCHES]
    names = [n.name for n in made if {u.op for u in form.users(n.name)} in ({o} for o in linear)]
    assert names
    for name in names:
        largest = np.abs(after[name]).max(axis=0)
        assert np.allclose(largest, 1, atol=1e-3), name
        assert np.ptp(np.abs(before[name]).max(axis=0)) > 0.05, name


def test_centred_trunk_straddles_zero(form):
    centred = centre(form, channel_extremes(form, IMAGES))
    after = channel_extremes(centred, IMAGES)
    moved = [n.name for n in form.nodes.values() if n.op == "add" and any(u.op == "concatenate" for u in form.users(n.name))]
    assert moved
    for name in moved:
        assert np.abs(after[name].mean(axis=0)).max() <= 1e-3 * np.abs(after[name]).max()


def test_ranges_keep_groups_and_fixed_ones(form):
    graph = equalised(form, IMAGES)
    ranges = find_ranges(graph, IMAGES)
    assert ranges.keys() == graph.nodes.keys()
    assert all(len({ranges[name] for name in group}) == 1 for group in range_groups(graph))
    assert all(ranges[name] == limits for name, limits in fixed_ranges(graph).items())
    assert all(low <= 0 < high for low, high in ranges.values())


def range_of(values, weights, function=None):
    ends = min(values.min(), 0.0), values.max()
    return best_range(histograms(values, weights, ends), ends, function)


def test_weights_decide_what_a_range_keeps(rng):
    """A rare outlier is cut off unless its error matters."""
    values = np.concatenate([rng.standard_normal(20000), [40.0]])
    for weight, kept in ((1e-3, False), (1e6, True)):
        weights_of_errors = np.ones_like(values)
        weights_of_errors[-1] = weight
        assert (range_of(values, weights_of_errors)[1] > 38) == kept


def test_clipping_counts_more_than_rounding(monkeypatch, rng):
    values = rng.standard_normal(20000)
    usual = range_of(values, np.ones_like(values))[1]
    monkeypatch.setattr("conversion.quantization.ranges.CLIPPED", 1.0)
    assert range_of(values, np.ones_like(values))[1] < usual


def test_range_before_a_gelu_drops_what_the_gelu_drops(rng):
    values = rng.uniform(-30, 3, 20000)
    gelu = partial(OPS["gelu"].scalar, Node("g", "gelu", {"approximate": False}))
    low, _ = range_of(values, np.ones_like(values), gelu)
    assert -8 < low < -1
    assert range_of(values, np.ones_like(values))[0] < -25


def test_sensitivity_predicts_the_error_of_the_output(nodes, rng):
    """Noise added to one tensor appears at the output with the predicted energy; a wrong weight by 2 would fail."""
    graph = Graph([nodes.image(), nodes.conv("a", "image", (3, 3, 3, 6)), nodes.node("g", "gelu", ["a"], 6, approximate=False)])
    graph = Graph([*graph.nodes.values(), nodes.conv("b", "g", (3, 3, 6, 4))])
    traced = trace(graph, IMAGES, probes=40)
    rest = Graph([Node("image", "input", shape=(1, 20, 18, 6)), nodes.node("g", "gelu", ["image"], 6, approximate=False)])
    rest = Graph([*rest.nodes.values(), graph.nodes["b"]])
    noise = 1e-3 * rng.standard_normal(traced.values["a"].shape).astype("float32")
    got = np.square(value(rest, traced.values["a"] + noise) - value(rest, traced.values["a"])).sum()
    assert abs(got / (traced.weights["a"].sum() * 1e-6) - 1) < 0.15


def test_split_is_exact_and_quieter(nodes):
    """A GELU with one wide channel among narrow ones is parted; with like channels it is left."""
    make, read = nodes.conv("make", "image", (1, 1, 3, 8)), nodes.conv("read", "g", (1, 1, 8, 6))
    make.weights["kernel"] *= np.float32([0.02] * 7 + [30])
    make.weights["bias"] *= 0
    gelu_node = nodes.node("g", "gelu", ["make"], 8, approximate=False)
    graph = Graph([nodes.image(), make, gelu_node, read, nodes.conv("out", "read", (1, 1, 6, 3))])
    traced = trace(graph, IMAGES)
    ranges = find_ranges(graph, IMAGES)
    parted, traced_parts = split_by_range(graph, traced, ranges)
    assert {"g.low", "g.high"} <= parted.nodes.keys() and "g" not in parted.nodes
    assert np.abs(value(parted) - value(graph)).max() <= 1e-5
    assert np.allclose(traced_parts.values["read.low"] + traced_parts.values["read.high"], traced.values["read"], atol=1e-5)
    after = rounding_noise(parted, traced_parts, find_ranges(parted, IMAGES))
    assert after["g.low"] + after["g.high"] < 0.3 * rounding_noise(graph, traced, ranges)["g"]
    like = graph.copy()
    like.nodes["make"].weights = {"kernel": np.repeat(nodes.weights(1, 1, 3, 1), 8, axis=-1), "bias": np.zeros(8, np.float32)}
    assert "g" in split_by_range(like, trace(like, IMAGES), find_ranges(like, IMAGES))[0].nodes


def silu(nodes, name, source, channels):
    """Its gate and its product."""
    return [nodes.node(f"{name}.gate", "sigmoid", [source], channels), nodes.node(name, "multiply", [source, f"{name}.gate"], channels)]


def test_silu_of_unlike_channels_is_parted_before_any_convolution(nodes):
    """Its gate goes with its product; a 3x3 reader pads the same zeros in both parts."""
    make, read = nodes.conv("make", "image", (3, 3, 3, 8)), nodes.conv("read", "s", (3, 3, 8, 6))
    make.weights["kernel"] *= np.float32([0.02] * 7 + [30])
    make.weights["bias"] *= 0
    graph = Graph([nodes.image(), make, *silu(nodes, "s", "make", 8), read])
    traced, ranges = trace(graph, IMAGES), find_ranges(graph, IMAGES)
    parted, traced_parts = split_by_range(graph, traced, ranges)
    assert {"s.gate.low", "s.low", "s.high"} <= parted.nodes.keys() and not {"s", "make"} & parted.nodes.keys()
    assert np.abs(value(parted) - value(graph)).max() <= 1e-5
    after = rounding_noise(parted, traced_parts, find_ranges(parted, IMAGES))
    assert after["s.low"] + after["s.high"] < 0.3 * rounding_noise(graph, traced, ranges)["s"]


def gated(nodes):
    """As in SPAN: a map goes into a sigmoid, is added to a block's input, and gates the sum; convolutions read both products."""
    before, gate = nodes.conv("before", "image", (3, 3, 3, 6)), nodes.conv("shift", "sigmoid", (1, 1, 6, 1), op="depthwise_conv2d")
    before.weights["kernel"] *= np.float32([0.05, 0.2, 1, 2, 5, 20])
    return Graph(
        [
            nodes.image(),
            before,
            nodes.conv("map", "before", (3, 3, 6, 6)),
            nodes.node("sigmoid", "sigmoid", ["map"], 6),
            gate,
            nodes.node("sum", "add", ["map", "before"], 6),
            nodes.node("product", "multiply", ["sum", "shift"], 6),
            nodes.node("both", "concatenate", ["before", "product"], 12, axis=-1),
            nodes.conv("out", "both", (1, 1, 12, 3)),
        ]
    )


def test_addend_of_a_map_with_an_activation_is_freed(nodes):
    """Then it and the product reach one magnitude in every channel, which the sum's other reader had forbidden."""
    graph = gated(nodes)
    freed = graph.copy()
    free_addends(freed)
    assert freed.nodes["sum"].inputs == ["map", "sum.addend"] and np.abs(value(freed) - value(graph)).max() <= 1e-6
    again = freed.copy()
    free_addends(again)
    assert again.nodes.keys() == freed.nodes.keys()
    after = equalise(freed, channel_extremes(freed, IMAGES))
    assert np.abs(value(after) - value(graph)).max() <= 1e-4 * np.abs(value(graph)).max()
    extremes = channel_extremes(after, IMAGES)
    for name in ("before", "product"):
        assert np.abs(extremes[name]).max(axis=0) == pytest.approx(np.ones(6), rel=1e-3), name
    tied = equalise(graph, channel_extremes(graph, IMAGES))
    assert np.ptp(np.abs(channel_extremes(tied, IMAGES)["before"]).max(axis=0)) > 1
