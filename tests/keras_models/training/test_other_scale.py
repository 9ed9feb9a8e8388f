"""Weights of one scale as the start of another: the first output is the trained network's, resized by area."""

import keras
import numpy as np
import pytest

from keras_models import LKDN, MAFDN
from keras_models.system.errors import TrainingError
from keras_models.training.other_scale import area_shares, take_other_scale
from tests.support.networks import randomise

TINY = {"features": 8, "attention_channels": 8, "blocks": 1}


def area_resized(image, new):
    """(H s, W s, C) to (H n, W n, C), each pixel the mean of the area it covers, pixel by pixel of the low-res image."""
    old = image.shape[0] // 6
    fine = image.repeat(new, axis=0).repeat(new, axis=1)
    return fine.reshape(6 * new, old, 6 * new, old, -1).mean((1, 3))


@pytest.mark.parametrize(("old", "new"), [(4, 2), (4, 3), (2, 3), (3, 4)])
def test_first_output_is_the_old_one_resized(old, new):
    source, network = LKDN(scale=old, **TINY), LKDN(scale=new, **TINY)
    randomise(source)
    image = np.random.default_rng(0).random((1, 6, 6, 3), np.float32)
    before = source.predict(image, verbose=0)[0]
    take_other_scale(network, source)
    np.testing.assert_allclose(network.predict(image, verbose=0)[0], area_resized(before, new), atol=2e-5)


def test_shares_are_of_areas():
    np.testing.assert_allclose(area_shares(4, 3), [[3 / 4, 1 / 4, 0, 0], [0, 1 / 2, 1 / 2, 0], [0, 0, 1 / 4, 3 / 4]])
    np.testing.assert_allclose(area_shares(2, 4).sum(1), 1)


@pytest.mark.parametrize(
    "source",
    [
        LKDN(scale=2, features=10, attention_channels=8, blocks=1),
        LKDN(scale=2, step="BSConvU_rep", **TINY),
        MAFDN(scale=2),
        keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(12, 1)]),
    ],
    ids=["another width", "training form", "another network", "no network"],
)
def test_anything_else_is_refused(source):
    network = LKDN(scale=4, **TINY)
    before = [w.copy() for w in network.get_weights()]
    with pytest.raises(TrainingError, match="its weights do not fit lkdn"):
        take_other_scale(network, source)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights()))
