"""Folding is exact for any weights, at the border too."""

import keras
import numpy as np
import pytest
from support.networks import randomise

from keras_models.checkpoints.loading import build_preset
from keras_models.folding import fold, fold_error
from keras_models.lkdn import LKDN
from keras_models.registry import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_fold_of_every_preset_with_random_weights(name):
    model = randomise(build_preset(PRESETS[name]))
    deploy = fold(model)
    assert fold_error(model, deploy) <= 1e-5
    assert fold(deploy).count_params() == deploy.count_params()


@pytest.mark.parametrize("name", ["random_LKDN-S_x4", "LKDN-S_x4"])
def test_fold_of_recorded_weights_equals_the_authors_output(name, released, reference):
    recorded = np.load(reference / "lkdn_outputs.npz")
    key = "random LKDN-S" if name.startswith("random") else name
    output = keras.ops.convert_to_numpy(fold(released(name))(recorded["input/noise"]))
    assert np.abs(output - recorded[f"{key}/noise"]).max() <= 1e-5


def test_released_training_form_folds_into_the_released_deploy_form(released):
    """The authors folded the same weights themselves."""
    ours, theirs = fold(released("LKDN-S_x4")).get_weights(), released("LKDN-S_del_rep_x4").get_weights()
    assert all(np.abs(a - b).max() <= 1e-5 * max(1.0, np.abs(b).max()) for a, b in zip(ours, theirs, strict=True))


def test_a_wrong_fold_is_seen():
    """Control: one changed weight of the deploy form shows in the measured error."""
    model = randomise(LKDN(features=6, attention_channels=6, blocks=1, step="BSConvU_rep", upsampler="rep"))
    deploy = fold(model)
    conv = deploy.get_layer("upsampler").conv
    conv.set_weights([conv.get_weights()[0], conv.get_weights()[1] + 1e-3])
    assert fold_error(model, deploy) > 5e-4


def test_folding_leaves_the_model_alone():
    model = randomise(LKDN(features=6, attention_channels=6, blocks=1, step="BSConvU_rep", upsampler="rep"))
    before = model.get_weights()
    fold(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
