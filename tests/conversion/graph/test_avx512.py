"""The rewrites for wide vectors: the same function, other shapes, and nothing changed where they do not pay or would not hold."""

import keras
import numpy as np
import pytest
from support.networks import randomise

from conversion.graph.avx512 import for_wide_vectors, pad_large_kernels, split_filters
from conversion.graph.exact_rewrites import deploy_graph
from conversion.graph.from_keras import graph_of
from conversion.graph.to_keras import to_keras
from keras_models.lkdn import LKDN


def network(features):
    return randomise(LKDN(scale=4, features=features, attention_channels=features, blocks=2))


def outputs(graph):
    image = np.random.default_rng(1).random((1, 24, 20, 3), np.float32)
    return np.asarray(to_keras(graph, 24, 20)(image)["upscaled"])


def channels(graph, ending):
    return {node.shape[-1] for node in graph.nodes.values() if node.name.endswith(ending)}


@pytest.mark.parametrize("features", [42, 56, 10])
def test_the_same_function(features):
    graph = deploy_graph(network(features), 24, 20)
    before, kept = outputs(graph), {name: node.op for name, node in graph.nodes.items()}
    assert before.std() > 0.01
    np.testing.assert_allclose(outputs(for_wide_vectors(graph)), before, atol=2e-6)
    assert {name: node.op for name, node in graph.nodes.items()} == kept  # the given graph is not changed


def test_what_changes():
    graph = for_wide_vectors(deploy_graph(network(42), 24, 20))
    assert channels(graph, "atten.depthwise") == channels(graph, "atten.depthwise_dilated") == channels(graph, ".c5") == {48}
    assert channels(graph, ".c6") == {42} and channels(graph, "c1_r.dw") == {42}
    assert [n.shape[-1] for n in graph.nodes.values() if n.name.startswith("upsampler.0.from")] == [32, 16]


def test_a_half_full_vector_is_left():
    graph = deploy_graph(network(56), 24, 20)
    pad_large_kernels(graph)
    assert channels(graph, "atten.depthwise") == {56}


@pytest.mark.parametrize(("filters", "parts"), [(48, [32, 16]), (70, [64, 6]), (32, []), (27, []), (60, []), (64, [])])
def test_which_convolutions_are_split(filters, parts):
    image = keras.Input((8, 8, 3), batch_size=1)
    graph = graph_of(keras.Model(image, keras.layers.Conv2D(filters, 3, padding="same", name="c")(image)), 8, 8)
    split_filters(graph)
    assert [n.shape[-1] for n in graph.nodes.values() if ".from" in n.name] == parts


def test_a_pointwise_convolution_is_not_split():
    image = keras.Input((8, 8, 3), batch_size=1)
    graph = graph_of(keras.Model(image, keras.layers.Conv2D(48, 1, padding="same", name="c")(image)), 8, 8)
    split_filters(graph)
    assert len(graph.nodes) == 2


@pytest.mark.parametrize("way", ["add", "output", "input"])
def test_zeros_that_would_leave_are_not_added(way):
    """The values are read by an addition, are the result, or come from no convolution."""
    image = keras.Input((8, 8, 42), batch_size=1)
    made = image if way == "input" else keras.layers.Conv2D(42, 1, padding="same")(image)
    large = keras.layers.DepthwiseConv2D(5, padding="same", name="large")(made)
    result = large + image if way == "add" else large
    if way != "output":
        result = keras.layers.Conv2D(3, 1, padding="same")(result)
    graph = graph_of(keras.Model(image, result), 8, 8)
    pad_large_kernels(graph)
    assert channels(graph, "large") == {42}
