"""LKDN against the authors' code; its description, its configurations and how far it sees."""

import keras
import numpy as np
import pytest

from keras_models.lkdn import LKDN
from keras_models.system.errors import ModelError

KEYS = {"random_LKDN-S_x4": "random LKDN-S", "random_LKDN-S_idt_x4": "random LKDN-S idt"}
NAMES = ("LKDN_x2", "LKDN_x3", "LKDN_x4", "LKDN-S_x4", "LKDN-S_del_rep_x4", *KEYS)


@pytest.mark.parametrize("name", NAMES)
def test_network_equals_the_authors_code(name, released, reference):
    recorded, model = np.load(reference / "lkdn_outputs.npz"), released(name)
    key = KEYS.get(name, name)
    images = [k for k in ("noise", "smooth", "flat", "tiny") if f"{key}/{k}" in recorded]
    assert images
    for image in images:
        output = keras.ops.convert_to_numpy(model(recorded[f"input/{image}"]))
        assert np.abs(output - recorded[f"{key}/{image}"]).max() <= 2e-5, image


def test_summary_reads_like_figure_2():
    model = LKDN(features=6, attention_channels=6, blocks=3)
    shown = [layer.name for layer in model.layers if layer.weights]
    assert shown == ["fea_conv", "B1", "B2", "B3", "c1", "c2", "upsampler"]


@pytest.mark.parametrize("wrong", [{"scale": 5}, {"features": 7}, {"blocks": 0}, {"step": "conv"}, {"upsampler": "nearest"}])
def test_wrong_configuration_is_refused_with_advice(wrong):
    with pytest.raises(ModelError, match="give|must"):
        LKDN(**wrong)


def test_receptive_radius_is_the_measured_one():
    """A NaN in the input spreads exactly as far as the declared radius (a number's influence drowns in rounding before)."""
    model = LKDN(scale=2, features=4, attention_channels=4, blocks=2)
    side = 2 * model.receptive_radius + 9
    centre = side // 2

    def reaches(distance):
        image = np.full((1, side, side, 3), 0.5, np.float32)
        image[0, :, centre + distance] = np.nan
        return np.isnan(keras.ops.convert_to_numpy(model(image))[0, 2 * centre, 2 * centre : 2 * centre + 2]).any()

    assert reaches(model.receptive_radius)
    assert not reaches(model.receptive_radius + 1)
