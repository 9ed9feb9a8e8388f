"""Every block against the authors' own code, borders included (recorded outputs, random weights)."""

import keras
import numpy as np
import pytest

from keras_models import blocks, lkdn
from keras_models.checkpoints.state_dict import load_state

TOLERANCE = 2e-5


class Alone(keras.Model):
    """One block as a network, so that a checkpoint can be loaded into it."""

    def __init__(self, layer, shape, scale=1, pixel_shuffle_convs=()):
        image = keras.Input(shape)
        super().__init__(image, layer(image))
        self.scale, self.pixel_shuffle_convs = scale, tuple(f"block.{name}" for name in pixel_shuffle_convs)


SHUFFLED = ("0", "conv1", "conv3", "conv3x3")
CASES = {
    "BSConvU": lambda: lkdn.BSConvU(10, 14, "block"),
    "BSConvU_idt": lambda: lkdn.BSConvUIdt(12, 12, "block"),
    "BSConvU_rep": lambda: lkdn.RBSB(12, 12, "block"),
    "Attention": lambda: lkdn.LargeKernelAttention(12, "block"),
    "LKDB BSConvU": lambda: lkdn.LKDB(12, 12, "BSConvU", "block"),
    "LKDB BSConvU_rep": lambda: lkdn.LKDB(12, 12, "BSConvU_rep", "block"),
    "LKDB BSConvU_idt atten 10": lambda: lkdn.LKDB(12, 10, "BSConvU_idt", "block"),
    "UpsampleOneStep x3": lambda: lkdn.Upsampler(12, 3, "block"),
    "Upsampler_rep x4": lambda: lkdn.UpsamplerRep(12, 4, "block"),
    "Upsampler_rep x2": lambda: lkdn.UpsamplerRep(12, 2, "block"),
}


@pytest.fixture(scope="module")
def recorded(reference):
    return np.load(reference / "lkdn_blocks.npz")


def block_with_recorded_weights(name, recorded):
    scale = int(name[-1]) if name[-2:] in ("x2", "x3", "x4") else 1
    model = Alone(CASES[name](), (None, None, recorded[f"{name}/input"].shape[-1]), scale, SHUFFLED if scale > 1 else ())
    prefix = f"{name}/weight/"
    load_state(model, {f"block.{key.removeprefix(prefix)}": recorded[key] for key in recorded.files if key.startswith(prefix)})
    return model


@pytest.mark.parametrize("name", CASES)
def test_block_equals_the_authors_code(name, recorded):
    model = block_with_recorded_weights(name, recorded)
    output = keras.ops.convert_to_numpy(model(recorded[f"{name}/input"]))
    assert np.abs(output - recorded[f"{name}/output"]).max() <= TOLERANCE


def test_all_recorded_blocks_are_covered(recorded):
    assert {key.split("/")[0] for key in recorded.files} == set(CASES)


def test_pixel_shuffle_order_matters(recorded):
    """Control: without the permutation of the filters the same comparison fails."""
    model = block_with_recorded_weights("Upsampler_rep x2", recorded)
    model.pixel_shuffle_convs = ()
    prefix = "Upsampler_rep x2/weight/"
    load_state(model, {f"block.{key.removeprefix(prefix)}": recorded[key] for key in recorded.files if key.startswith(prefix)})
    output = keras.ops.convert_to_numpy(model(recorded["Upsampler_rep x2/input"]))
    assert np.abs(output - recorded["Upsampler_rep x2/output"]).max() > 0.01


def test_pixel_norm_of_half_precision_has_a_variance_that_half_cannot_hold():
    norm = blocks.PixelNorm()
    norm.build((None, None, None, 8))
    wide = np.tile(np.array([300, -300], np.float16), 4)[None, None, None]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(norm(wide)), np.sign(wide), atol=1e-3)
