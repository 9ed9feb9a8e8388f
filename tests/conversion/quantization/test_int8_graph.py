"""The rewrites for 8 bits leave the function as it is, border included, and reach what they are for."""

from functools import partial

import keras
import numpy as np
import pytest
from support.networks import randomise

from conversion.graph.from_keras import graph_of
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import KERNEL, OPS
from conversion.graph.to_keras import to_keras
from conversion.quantization.channel_split import rounding_noise, split_by_range
from conversion.quantization.equalization import centre, channel_extremes, equalise, equalised
from conversion.quantization.fake_quant import fixed_ranges, range_groups
from conversion.quantization.fused_tail import merge_tail
from conversion.quantization.int8_graph import PATCHES, image_skip, int8_graph, integer_forms
from conversion.quantization.ranges import best_range, find_ranges, histograms
from conversion.quantization.sensitivity import trace
from keras_models.lkdn import LKDN

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 20, 18, 3), np.float32)


def weights(*shape):
    return (RNG.standard_normal(shape) / max(np.prod(shape[:-1]), 1) ** 0.5).astype("float32")


def conv(name, source, kernel, op="conv2d"):
    channels = kernel[2] if op == "depthwise_conv2d" else kernel[3]
    return Node(name, op, {"dilation": 1}, {"kernel": weights(*kernel), "bias": weights(channels)}, [source], (1, 20, 18, channels))


def image_node():
    return Node("image", "input", shape=(1, 20, 18, 3))


def value(graph, images=IMAGES):
    return np.asarray(keras.ops.convert_to_numpy(to_keras(graph, None, None)(images)["upscaled"]))


def tail(head_kernel=(3, 3, 3, 6)):
    return Graph(
        [
            image_node(),
            conv("head", "image", head_kernel),
            conv("body", "image", (1, 1, 3, 6)),
            Node("g", "gelu", {"approximate": False}, {}, ["body"], (1, 20, 18, 6)),
            Node("sum", "add", {}, {}, ["g", "head"], (1, 20, 18, 6)),
            conv("up", "sum", (3, 3, 6, 12)),
            Node("shuffle", "depth_to_space", {"scale": 2}, {}, ["up"], (1, 40, 36, 3)),
        ]
    )


def test_pointwise_readers_of_the_head_read_the_patches():
    graph = tail()
    nodes = list(graph.nodes.values())
    nodes[2].inputs = ["head"]
    nodes[2].weights = {"kernel": weights(1, 1, 6, 6), "bias": weights(6)}
    graph = Graph(nodes)
    before = value(graph)
    image_skip(graph)
    assert graph.nodes["body"].inputs == [PATCHES] and "head" not in graph.nodes
    assert np.abs(value(graph) - before).max() <= 1e-5


@pytest.mark.parametrize("head_kernel", [(1, 1, 3, 6), (3, 3, 3, 6), (5, 5, 3, 6)])
def test_image_skip_is_exact_up_to_the_border(head_kernel):
    graph = tail(head_kernel)
    before = value(graph)
    image_skip(graph)
    assert PATCHES in graph.nodes and "head" not in graph.nodes
    assert np.abs(value(graph) - before).max() <= 1e-5


def test_patches_copy_pixels_without_rounding():
    graph = tail()
    image_skip(graph)
    kernel = graph.nodes[PATCHES].weights["kernel"].reshape(-1, graph.nodes[PATCHES].shape[-1])
    assert set(np.unique(np.abs(kernel))) == {0.0, 1.0} and (np.abs(kernel).sum(axis=0) == 1).all()


def test_merged_tail_is_exact_up_to_the_border():
    graph = tail()
    nodes = list(graph.nodes.values())
    nodes.insert(4, conv("last", "g", (3, 3, 6, 1), "depthwise_conv2d"))
    nodes[5].inputs = ["last", "head"]
    graph = Graph(nodes)
    before = value(graph)
    image_skip(graph)
    merge_tail(graph)
    assert "image_skip" not in graph.nodes and graph.nodes["up"].op == "conv2d"
    assert fixed_ranges(graph)["last"] == fixed_ranges(graph)[PATCHES] == (0.0, 1.0)
    assert np.abs(value(graph) - before).max() <= 1e-5


def test_image_skip_leaves_a_sum_with_another_reader():
    graph = tail()
    nodes = list(graph.nodes.values())
    extra = Node("both", "add", {}, {}, ["sum", "g"], (1, 20, 18, 6))
    nodes.insert(5, extra)
    nodes[6].inputs = ["both"]
    graph = Graph(nodes)
    image_skip(graph)
    assert PATCHES not in graph.nodes


@pytest.mark.parametrize("centred", [False, True])
def test_norm_becomes_products(centred):
    made = conv("c", "image", (1, 1, 3, 6))
    if centred:
        made.weights = {key: array - array.mean(axis=-1, keepdims=True) for key, array in made.weights.items()}
    norm = Node("norm", "pixel_norm", {"epsilon": 1e-3, "centred": centred}, {"gamma": weights(6), "beta": weights(6)}, ["c"])
    norm.shape = (1, 20, 18, 6)
    graph = Graph([image_node(), made, norm])
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


def test_weights_decide_what_a_range_keeps():
    """A rare outlier is cut off unless its error matters."""
    values = np.concatenate([RNG.standard_normal(20000), [40.0]])
    for weight, kept in ((1e-3, False), (1e6, True)):
        weights_of_errors = np.ones_like(values)
        weights_of_errors[-1] = weight
        assert (range_of(values, weights_of_errors)[1] > 38) == kept


def test_clipping_counts_more_than_rounding(monkeypatch):
    values = RNG.standard_normal(20000)
    usual = range_of(values, np.ones_like(values))[1]
    monkeypatch.setattr("conversion.quantization.ranges.CLIPPED", 1.0)
    assert range_of(values, np.ones_like(values))[1] < usual


def test_range_before_a_gelu_drops_what_the_gelu_drops():
    values = RNG.uniform(-30, 3, 20000)
    gelu = Node("g", "gelu", {"approximate": False})
    low, _ = range_of(values, np.ones_like(values), partial(OPS["gelu"].scalar, gelu))
    assert -8 < low < -1
    assert range_of(values, np.ones_like(values))[0] < -25


def test_sensitivity_predicts_the_error_of_the_output():
    """Noise added to one tensor appears at the output with the predicted energy; a wrong weight by 2 would fail."""
    graph = Graph([image_node(), conv("a", "image", (3, 3, 3, 6)), Node("g", "gelu", {"approximate": False}, {}, ["a"], (1, 20, 18, 6))])
    graph = Graph([*graph.nodes.values(), conv("b", "g", (3, 3, 6, 4))])
    traced = trace(graph, IMAGES, probes=40)
    rest = Graph([Node("image", "input", shape=(1, 20, 18, 6)), Node("g", "gelu", {"approximate": False}, {}, ["image"], (1, 20, 18, 6))])
    rest = Graph([*rest.nodes.values(), graph.nodes["b"]])
    noise = 1e-3 * RNG.standard_normal(traced.values["a"].shape).astype("float32")
    got = np.square(value(rest, traced.values["a"] + noise) - value(rest, traced.values["a"])).sum()
    assert abs(got / (traced.weights["a"].sum() * 1e-6) - 1) < 0.15


def test_split_is_exact_and_quieter():
    """A GELU with one wide channel among narrow ones is parted; with like channels it is left."""
    make, read = conv("make", "image", (1, 1, 3, 8)), conv("read", "g", (1, 1, 8, 6))
    make.weights["kernel"] *= np.float32([0.02] * 7 + [30])
    make.weights["bias"] *= 0
    gelu_node = Node("g", "gelu", {"approximate": False}, {}, ["make"], (1, 20, 18, 8))
    graph = Graph([image_node(), make, gelu_node, read, conv("out", "read", (1, 1, 6, 3))])
    traced = trace(graph, IMAGES)
    ranges = find_ranges(graph, IMAGES)
    parted, traced_parts = split_by_range(graph, traced, ranges)
    assert {"g.low", "g.high"} <= parted.nodes.keys() and "g" not in parted.nodes
    assert np.abs(value(parted) - value(graph)).max() <= 1e-5
    assert np.allclose(traced_parts.values["read.low"] + traced_parts.values["read.high"], traced.values["read"], atol=1e-5)
    after = rounding_noise(parted, traced_parts, find_ranges(parted, IMAGES))
    assert after["g.low"] + after["g.high"] < 0.3 * rounding_noise(graph, traced, ranges)["g"]
    like = graph.copy()
    like.nodes["make"].weights = {"kernel": np.repeat(weights(1, 1, 3, 1), 8, axis=-1), "bias": np.zeros(8, np.float32)}
    assert "g" in split_by_range(like, trace(like, IMAGES), find_ranges(like, IMAGES))[0].nodes
