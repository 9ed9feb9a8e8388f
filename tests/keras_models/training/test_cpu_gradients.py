"""Gradients of our own equal those of the backend, for every layer that they replace and for a whole network."""

import contextlib

import keras
import numpy as np
import pytest
from support.networks import randomise

from keras_models.lkdn import LKDN
from keras_models.training.cpu_gradients import depthwise, fast_gelu, gelu, use_fast_gradients

tf = pytest.importorskip("tensorflow")


def both(function, *arrays):
    """The function's value, and the gradients of a random weighing of it."""
    tensors = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
        total = tf.reduce_sum(y * np.random.default_rng(5).standard_normal(y.shape).astype(np.float32))
    return [y.numpy(), *(g.numpy() for g in tape.gradient(total, tensors))]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max()


@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (5, 1), (5, 3), (3, 2)])
@pytest.mark.parametrize("size", [(9, 12), (7, 5)], ids=str)
def test_depthwise(taps, dilation, size, rng):
    """Sides that are no multiple of the dilation too."""
    x, kernel = rng.random((2, *size, 4), np.float32), rng.standard_normal((taps, taps, 4, 1)).astype(np.float32)
    theirs = both(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME", dilations=[dilation] * 2), x, kernel)
    assert_equal(both(lambda x, k: depthwise(x, k, dilation), x, kernel), theirs)


def test_gelu(rng):
    x = (4 * rng.standard_normal((3, 5, 5, 4))).astype(np.float32)
    assert_equal(both(gelu, x), both(lambda x: tf.nn.gelu(x, approximate=False), x))


@pytest.mark.parametrize("unknown_size", [False, True])
def test_whole_network(unknown_size, rng):
    """Same output and gradients of every weight, with sizes known while the step is traced or only when it runs."""
    networks = [randomise(LKDN(scale=2, features=6, attention_channels=6, blocks=1)) for _ in range(2)]
    use_fast_gradients(networks[0])
    assert sum("call" in vars(layer) for layer in networks[0]._flatten_layers()) > 10
    x = rng.random((2, 11, 8, 3), np.float32)

    def result(network):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3) if unknown_size else x.shape)])
        def step(x):
            with fast_gelu() if network is networks[0] else contextlib.nullcontext(), tf.GradientTape() as tape:
                y = network(x, training=True)
                loss = tf.reduce_sum(y * y)
            return y, *tape.gradient(loss, [v.value for v in network.trainable_variables])

        return [t.numpy() for t in step(x)]

    assert_equal(*(result(network) for network in networks))
    keras.backend.clear_session()
