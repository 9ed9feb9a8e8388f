"""SRVGGNetCompact against recorded outputs of its PyTorch code; its files and its scale 1."""

import keras
import numpy as np
import pytest

from keras_models.checkpoints.loading import model_from_state
from keras_models.checkpoints.network_weights import state_of
from keras_models.compact import SRVGGNetCompact
from keras_models.system.errors import CheckpointError, ModelError
from support.networks import randomise


def values(model, image):
    return keras.ops.convert_to_numpy(model(image))


@pytest.mark.parametrize("scale", [2, 4])
def test_network_equals_the_authors_code(scale, released, reference):
    recorded = np.load(reference / "span_compact_outputs.npz")
    expected = recorded[f"compact_x{scale}_output"]
    output = values(released(f"random_compact_x{scale}"), recorded["span_x4_input"])
    assert np.abs(output - expected).max() <= 2e-5 * np.abs(expected).max()


@pytest.mark.parametrize("scale", [1, 3])
def test_image_is_added_enlarged_by_nearest_neighbour(scale, rng):
    model = SRVGGNetCompact(scale=scale, features=4, convolutions=1)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    image = rng.random((1, 5, 7, 3), np.float32)
    np.testing.assert_array_equal(values(model, image), image.repeat(scale, 1).repeat(scale, 2))


def test_one_shared_slope_is_every_channels(rng):
    model = randomise(SRVGGNetCompact(scale=2, features=6, convolutions=2))
    state = state_of(model)
    shared = state | {"body.3.weight": np.array([0.3], np.float32)}
    each = state | {"body.3.weight": np.full(6, 0.3, np.float32)}
    image = rng.random((1, 5, 7, 3), np.float32)
    outputs = [values(model_from_state(s, "test"), image) for s in (shared, each, state)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3
    with pytest.raises(CheckpointError, match=r"body\.3\.weight is \(2,\), not \(6,\)"):
        model_from_state(state | {"body.3.weight": np.zeros(2, np.float32)}, "test")


@pytest.mark.parametrize("wrong", [{"scale": 5}, {"features": 0}, {"convolutions": 0}])
def test_wrong_configuration_is_refused_with_advice(wrong):
    with pytest.raises(ModelError, match="give"):
        SRVGGNetCompact(**wrong)
