"""Pixel norms as products and convolutions: the same values, and weights that half precision holds exactly."""

import numpy as np
import pytest
from support.graphs import Nodes, value_of

from conversion.graph.any_gpu import for_any_gpu
from conversion.graph.ir import Graph, Node


@pytest.fixture
def nodes(rng):
    return Nodes(rng, 6, 7)


@pytest.mark.parametrize(("channels", "centred"), [(3, False), (42, True), (56, False), (64, True)])
def test_the_values_stay(nodes, rng, channels, centred):
    conv = nodes.conv("c6", "image", (1, 1, 3, channels))
    if centred:
        conv.weights = {key: array - array.mean(axis=-1, keepdims=True) for key, array in conv.weights.items()}
    graph = Graph([nodes.image(), conv, nodes.norm("c6", channels, centred=centred)])
    made = for_any_gpu(graph)
    assert "pixel_norm" not in {node.op for node in made.nodes.values()} and graph.nodes["norm"].op == "pixel_norm"
    image = rng.standard_normal((1, 6, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(value_of(made, image), value_of(graph, image), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("channels", [3, 42, 56, 64])
def test_the_energy_is_exact_in_half_precision_and_no_larger_than_a_square(nodes, channels):
    made = for_any_gpu(Graph([nodes.image(channels), Node("norm", "pixel_norm", **_norm(nodes, channels))]))
    kernel = made.nodes["norm.energy"].weights["kernel"]
    assert (kernel == kernel.astype(np.float16)).all() and 0.5 < kernel.sum() <= 1


def _norm(nodes, channels):
    norm = nodes.norm("image", channels, centred=True)
    return {"attrs": norm.attrs, "weights": norm.weights, "inputs": norm.inputs, "shape": norm.shape}
