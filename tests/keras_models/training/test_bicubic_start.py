"""The untrained network with a head start is bicubic, in every form and at every scale."""

import keras
import numpy as np
import pytest

from keras_models.data.bicubic import enlarge
from keras_models.data.photo_set import load_photos
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.registry import PRESETS
from keras_models.system.errors import TrainingError
from keras_models.training.bicubic_start import bicubic_phases, head_start
from keras_models.training.validation import validate


def started(network=LKDN, **config):
    keras.utils.set_random_seed(0)
    network = network(**config)
    head_start(network)
    return network


def test_step_0_is_bicubic_on_set5(shared, tmp_path):
    photos = load_photos(shared / "data/Set5", 4, tmp_path)
    assert validate(started(**PRESETS["lkdn-s-x4"].config), photos) == pytest.approx(28.43, abs=0.1)


FORMS = (
    {"step": "BSConvU_rep", "upsampler": "rep", "attention_channels": 4},
    {"attention_channels": 4},
    {"network": MAFDN, "distilled": 4},
    {"network": MAFDN, "distilled": 4, "convolution": "plain"},
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_without_the_noise_of_the_rest_it_is_bicubic_exactly(scale, form, monkeypatch):
    monkeypatch.setattr("keras_models.training.bicubic_start.SHRINK_OTHERS", 0.0)
    monkeypatch.setattr("keras_models.training.bicubic_start.SHRINK_TRUNK", 0.0)
    network = started(scale=scale, features=28, blocks=1, **form)
    image = np.random.default_rng(0).random((12, 10, 3), np.float32)
    inner = slice(2 * scale, -2 * scale)
    output = keras.ops.convert_to_numpy(fold(network)(image[None]))[0]
    np.testing.assert_allclose(output[inner, inner], enlarge(image, scale)[inner, inner], atol=2e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(network(image[None]))[0], output, atol=2e-5)


def test_phases_sum_to_one():
    for scale in (2, 3, 4):
        assert bicubic_phases(scale).shape == (scale, 5)
        np.testing.assert_allclose(bicubic_phases(scale).sum(axis=1), 1)


def test_the_topology_is_untouched():
    config = PRESETS["lkdn-s-x4"].config
    assert [v.path for v in started(**config).variables] == [v.path for v in LKDN(**config).variables]


def test_what_cannot_have_one_is_refused():
    with pytest.raises(TrainingError, match="26 features, a head start needs 27"):
        head_start(LKDN(features=26, attention_channels=4, blocks=1))
    with pytest.raises(TrainingError, match="no head start is known"):
        head_start(keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1)]))
