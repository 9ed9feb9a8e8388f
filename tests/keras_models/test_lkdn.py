"""Whole networks against the authors' code; counts; saving; the same description for both forms."""

import keras
import numpy as np
import pytest

from conversion.graph.from_keras import graph_of, multi_adds
from keras_models.checkpoints.loading import build_preset
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.registry import PRESETS
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


@pytest.mark.parametrize("name", PRESETS)
def test_counts_of_every_preset(name):
    preset = PRESETS[name]
    model = build_preset(preset)
    deploy = fold(model)
    assert (model.count_params(), deploy.count_params()) == preset.parameters
    assert multi_adds(graph_of(deploy, *preset.low_res)) == preset.multi_adds


def test_counts_of_the_paper():
    assert [PRESETS[f"lkdn-x{s}"].parameters[1] for s in (2, 3, 4)] == [303_812, 311_387, 321_992]
    assert PRESETS["lkdn-s-x4"].parameters == (172_449, 129_177)
    published = {"lkdn-x2": 68.72, "lkdn-x3": 31.34, "lkdn-x4": 18.22, "lkdn-s-x4": 7.285}
    assert all(abs(PRESETS[name].multi_adds / 1e9 - g) < 0.006 for name, g in published.items())


@pytest.mark.parametrize("form", [{}, {"step": "BSConvU_rep", "upsampler": "rep"}, {"step": "BSConvU_idt"}])
def test_saved_model_opens_without_naming_classes(form, tmp_path):
    model = LKDN(scale=3, features=6, attention_channels=4, blocks=2, **form)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    image = np.random.default_rng(0).random((1, 9, 7, 3), np.float32)
    assert np.array_equal(keras.ops.convert_to_numpy(again(image)), keras.ops.convert_to_numpy(model(image)))


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
