"""Adan against the trajectories that the reference implementation recorded, on each backend, and with Keras around it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_models.adan import Adan

PROGRAM = Path(__file__).parents[2] / "tests/support/adan_trajectories.py"
BOUND = 2e-6
SETTINGS = {"default", "weight_decay", "weight_decay_no_prox", "clip", "betas_eps_lr_drop"}


def replay(backend, recorded):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, PROGRAM, recorded], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", ["tensorflow", "jax", pytest.param("torch", marks=pytest.mark.slow)])
def test_every_recorded_trajectory(backend, reference):
    if backend == "torch":
        pytest.importorskip(backend)
    errors = replay(backend, reference / "adan.npz")
    assert errors.pop("backend") == backend
    assert errors.keys() == SETTINGS
    assert max(errors.values()) <= BOUND, errors


def linear_model(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((8, 3), np.float32), rng.random((8, 2), np.float32)


def test_one_step_by_hand():
    """After one step m/c1 = g, v = 0, n/c3 = g^2: the step is lr g / (|g| + eps), then the proximal division."""
    optimizer = Adan(0.1, weight_decay=0.5, epsilon=1e-3)
    variable = keras.Variable(np.array([1.0, -2.0], np.float32))
    optimizer.apply([keras.ops.convert_to_tensor(np.array([0.3, -4.0], np.float32))], [variable])
    expected = [(1 - 0.1 * 0.3 / 0.301) / 1.05, (-2 + 0.1 * 4 / 4.001) / 1.05]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), expected, rtol=1e-6)


def test_the_average_of_the_weights_follows_keras_rule():
    model = linear_model(Adan(0.1, use_ema=True, ema_momentum=0.5))
    average = None
    for step in range(3):
        model.train_on_batch(*batch(step))
        now = model.get_weights()[0]
        average = now if average is None else 0.5 * average + 0.5 * now
    model.optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-6)


def test_a_schedule_sets_the_rate_and_is_saved():
    optimizer = Adan(keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.0]))
    model = linear_model(optimizer)
    model.train_on_batch(*batch())
    model.train_on_batch(*batch())
    before = model.get_weights()[0]
    model.train_on_batch(*batch())
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert Adan.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


def test_loss_scaling_does_not_change_the_steps():
    plain, scaled = (
        linear_model(Adan(0.1, max_grad_norm=0.1)),
        linear_model(keras.optimizers.LossScaleOptimizer(Adan(0.1, max_grad_norm=0.1), initial_scale=1024.0)),
    )
    for step in range(3):
        plain.train_on_batch(*batch(step))
        scaled.train_on_batch(*batch(step))
    np.testing.assert_allclose(plain.get_weights()[0], scaled.get_weights()[0], rtol=1e-5)


def test_accumulated_gradients_count_as_one_step():
    model = linear_model(Adan(0.1, gradient_accumulation_steps=2))
    start = model.get_weights()[0]
    model.train_on_batch(*batch())
    np.testing.assert_array_equal(model.get_weights()[0], start)
    model.train_on_batch(*batch())
    assert not np.array_equal(model.get_weights()[0], start)
    assert int(model.optimizer._steps) == 1


def test_a_saved_model_goes_on_alike(tmp_path):
    model = linear_model(Adan(0.1, weight_decay=0.01, max_grad_norm=1.0))
    for step in range(3):
        model.train_on_batch(*batch(step))
    model.save(tmp_path / "m.keras")
    twin = keras.saving.load_model(tmp_path / "m.keras")
    for step in range(3, 6):
        model.train_on_batch(*batch(step))
        twin.train_on_batch(*batch(step))
    np.testing.assert_array_equal(model.get_weights()[0], twin.get_weights()[0])


@pytest.mark.parametrize(
    "arguments",
    [{"betas": (0.9, 0.99)}, {"betas": (1.0, 0.9, 0.9)}, {"epsilon": -1}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="^Adan: "):
        Adan(**arguments)
