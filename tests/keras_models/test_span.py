"""SPAN against the authors' code: both forms, both kinds of file, its border, and how far it sees."""

import keras
import numpy as np
import pytest

from keras_models.checkpoints.loading import model_from_state
from keras_models.checkpoints.network_weights import state_of
from keras_models.folding import fold
from keras_models.span import SPAN, Conv3XC
from keras_models.system.errors import CheckpointError, ModelError
from support.networks import randomise

KEYS = {
    "span_x4": "span_x4_output",
    "random_span28_x4": "span28_x4_output",
    "random_span28_x4_nonorm": "span28_x4_nonorm_output",
    "random_span48_x2": "span48_x2_output",
}


def values(model, image):
    return keras.ops.convert_to_numpy(model(image))


@pytest.fixture(scope="module")
def recorded(reference):
    return np.load(reference / "span_compact_outputs.npz")


@pytest.mark.parametrize("name", KEYS)
def test_network_equals_the_authors_code(name, released, recorded):
    expected = recorded[KEYS[name]]
    for model in (released(name), fold(released(name))):
        assert np.abs(values(model, recorded["span_x4_input"]) - expected).max() <= 2e-5 * np.abs(expected).max()


def test_photo_equals_the_authors_code(released, recorded):
    output = values(released("span_x4"), recorded["butterfly_input"][None].astype(np.float32) / 255)
    assert np.abs(output - recorded["span_x4_butterfly"]).max() <= 2e-5


def test_stale_copies_of_a_training_file_are_ignored(released):
    """Its eval_conv are made anew by folding; in a deploy file they are the weights, and a missing one is an error."""
    model = released("random_span28_x4")
    state = state_of(model)
    stale = {f"block_1.c1_r.eval_conv.{part}": np.full(1, np.nan, np.float32) for part in ("weight", "bias")}
    again = model_from_state(state | stale, "test")
    assert again.convolution == "Conv3XC" and np.array_equal(again.get_weights()[0], model.get_weights()[0])
    deploy = state_of(released("span_x4"))
    del deploy["block_1.c1_r.eval_conv.bias"]
    with pytest.raises(CheckpointError, match=r"missing block_1\.c1_r\.eval_conv\.bias"):
        model_from_state(deploy, "test")


def test_file_says_that_it_has_no_norm(released):
    model = released("random_span28_x4_nonorm")
    assert not model.norm and "no_norm" in state_of(model)
    assert "no_norm" not in state_of(released("random_span28_x4"))


def test_fold_is_exact_at_the_border_for_any_bias(rng):
    """conv0's bias reaches the ring of zeros; folding that forgets it is right inside and wrong at the border."""
    image = keras.Input((None, None, 5))
    model = randomise(keras.Model(image, Conv3XC(5, 7, name="block")(image)))
    kernel, bias = model.get_layer("block").fold()
    x = rng.random((1, 6, 8, 5), np.float32)
    expected = keras.ops.conv(x, kernel.astype(np.float32), padding="same") + bias.astype(np.float32)
    np.testing.assert_allclose(values(model, x), expected, atol=1e-5)


def test_summary_reads_like_the_paper():
    shown = [layer.name for layer in SPAN(channels=4).layers if layer.weights]
    blocks = [f"block_{i}.c{j}_r" for i in range(1, 7) for j in (1, 2, 3)]
    assert shown == ["conv_1", *blocks, "conv_2", "conv_cat", "upsampler.0"]


@pytest.mark.parametrize("wrong", [{"scale": 5}, {"channels": 0}, {"convolution": "do"}])
def test_wrong_configuration_is_refused_with_advice(wrong):
    with pytest.raises(ModelError, match="give"):
        SPAN(**wrong)
