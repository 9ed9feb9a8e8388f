"""Every preset with random weights, built once: its counts, its fold, and the rewrites of its graph."""

import keras
import numpy as np
import pytest
from support.graphs import value_of

from conversion.graph.exact_rewrites import deploy_graph
from conversion.graph.from_keras import graph_of, multi_adds
from conversion.graph.half_range import measure_ranges, rescale
from keras_models.folding import fold, fold_error
from keras_models.registry import PRESETS

ONCE = list({(preset.network, str(preset.config)): name for name, preset in reversed(PRESETS.items())}.values())[::-1]
"""Of presets that differ in their weights alone, the first."""
X4_BY_DEFAULT = [pytest.param(name, marks=[] if name.endswith("x4") else pytest.mark.slow) for name in ONCE]
COUNTED = [pytest.param(name, marks=pytest.mark.slow if name[-1] != "4" and name[:4] in ("span", "comp") else []) for name in ONCE]
"""SPAN and SRVGGNetCompact differ between scales in one convolution, as their x4 shows."""


@pytest.mark.parametrize("name", COUNTED)
def test_counts(name, preset):
    training, deploy = preset(name)
    assert (training.count_params(), deploy.count_params()) == PRESETS[name].parameters
    assert multi_adds(graph_of(deploy, *PRESETS[name].low_res)) == PRESETS[name].multi_adds


def test_counts_of_the_paper():
    assert [PRESETS[f"lkdn-x{s}"].parameters[1] for s in (2, 3, 4)] == [303_812, 311_387, 321_992]
    assert PRESETS["lkdn-s-x4"].parameters == (172_449, 129_177)
    published = {"lkdn-x2": 68.72, "lkdn-x3": 31.34, "lkdn-x4": 18.22, "lkdn-s-x4": 7.285}
    assert all(abs(PRESETS[name].multi_adds / 1e9 - g) < 0.006 for name, g in published.items())


@pytest.mark.parametrize("name", COUNTED)
def test_fold(name, preset):
    training, deploy = preset(name)
    assert fold_error(training, deploy) <= 1e-5
    assert fold(deploy).count_params() == deploy.count_params()


@pytest.mark.parametrize("name", X4_BY_DEFAULT)
def test_rewritten_graph(name, preset, rng):
    """Of one scale by default: others differ in their last convolution, and `test_networks.py` has all three."""
    _, deploy = preset(name)
    graph = deploy_graph(deploy, 64, 64)
    image = rng.random((1, 21, 34, 3), np.float32)
    expected = keras.ops.convert_to_numpy(deploy(image)).clip(0, 1)
    for candidate in (graph, rescale(graph, measure_ranges(graph, [image]))):
        assert np.abs(value_of(candidate, image) - expected).max() <= 2e-5
