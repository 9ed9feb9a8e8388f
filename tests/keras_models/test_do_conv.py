"""DO-Conv against recorded outputs and gradients of the authors' PyTorch library."""

import keras
import numpy as np
import pytest
from keras import ops
from support.networks import randomise

from keras_models.do_conv import DOConv2D, DODepthwiseConv2D
from keras_models.system.errors import ModelError

TRUE_CHANNEL = ("k3", "k3_m16", "k3_m18", "k3_s2_nobias", "k5", "k3x5", "dw3", "k1")
LIBRARY_QUIRKS = ("dw3_x2", "g2_k3")


@pytest.fixture(scope="module")
def recorded(reference):
    with np.load(reference / "do_conv.npz") as archive:
        return dict(archive)


def layer_for(recorded, case):
    """The layer of a recorded case, built and loaded; and its input, padded by hand as PyTorch pads (N, H, W, C)."""
    channels, filters, rows, columns, inner, groups, stride, pad_y, pad_x = map(int, recorded[f"{case}.meta"])
    options = {"strides": stride, "padding": "valid", "d_mul": inner, "use_bias": f"{case}.bias" in recorded}
    depthwise = groups == channels > 1
    layer = DODepthwiseConv2D((rows, columns), **options) if depthwise else DOConv2D(filters, (rows, columns), **options)
    x = np.pad(recorded[f"{case}.x"].transpose(0, 2, 3, 1), ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    layer.build(x.shape)
    w = recorded[f"{case}.W"]
    layer.set_weights([w.reshape(layer.W.shape), *(recorded[f"{case}.{k}"] for k in ("D", "bias") if f"{case}.{k}" in recorded)])
    return layer, x


@pytest.mark.parametrize("case", TRUE_CHANNEL)
def test_fold_and_output(recorded, case):
    layer, x = layer_for(recorded, case)
    rows, columns = layer.kernel_size
    kernel = recorded[f"{case}.kernel"]  # OIHW; depthwise (C, 1, M, N)
    axes = (2, 3, 0, 1) if isinstance(layer, DODepthwiseConv2D) else (2, 3, 1, 0)
    assert np.abs(layer.fold()[0] - kernel.transpose(axes)).max() <= 1e-5
    assert np.abs(ops.convert_to_numpy(layer.kernel()) - kernel.transpose(axes)).max() <= 1e-5
    y = ops.convert_to_numpy(layer(x))
    assert np.abs(y - recorded[f"{case}.y"].transpose(0, 2, 3, 1)).max() <= 5e-5
    if rows * columns > 1:  # the control: D alone, without the identity, is not the kernel
        equation = "ims,ios->iom" if isinstance(layer, DODepthwiseConv2D) else "ims,ois->oim"
        alone = np.einsum(equation, recorded[f"{case}.D"], recorded[f"{case}.W"])
        assert np.abs(alone.reshape(kernel.shape) - kernel).max() > 0.1


@pytest.mark.parametrize("case", TRUE_CHANNEL)
def test_gradients(recorded, case):
    import tensorflow as tf

    layer, x = layer_for(recorded, case)
    with tf.GradientTape() as tape:
        loss = ops.mean(ops.square(layer(x)))
    gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        wanted = recorded[f"{case}.grad_{variable.name}"].reshape(variable.shape)
        assert np.abs(ops.convert_to_numpy(gradient) - wanted).max() <= 5e-5, variable.name


@pytest.mark.parametrize("case", TRUE_CHANNEL)
def test_d_diag_is_the_recorded_one(recorded, case):
    layer, _ = layer_for(recorded, case)
    assert (f"{case}.d_diag" in recorded) == bool(layer.constants())
    for name, array in layer.constants().items():
        assert np.array_equal(array, recorded[f"{case}.{name}"])


@pytest.mark.parametrize("case", LIBRARY_QUIRKS)
def test_grouped_library_kernels_are_paired_by_a_reshape(recorded, case):
    """With more than one filter a group the library pairs W's rows with D's by a row-major reshape, not by channel."""
    channels, filters, rows, columns, inner, groups, *_ = map(int, recorded[f"{case}.meta"])
    offset, w = recorded[f"{case}.D"] + recorded[f"{case}.d_diag"], recorded[f"{case}.W"]
    kernel = recorded[f"{case}.kernel"].reshape(filters, channels // groups, -1)
    per_group = filters // groups
    reshaped = np.einsum("ims,ois->oim", offset, w.reshape(per_group, channels, inner)).reshape(kernel.shape)
    assert np.abs(reshaped - kernel).max() <= 1e-5
    inputs = np.arange(filters)[:, None] // per_group * (channels // groups) + np.arange(channels // groups)
    by_channel = np.einsum("oims,ois->oim", offset[inputs], w)
    assert np.abs(by_channel - kernel).max() > 0.5


@pytest.mark.parametrize(("layer", "stock"), [(DOConv2D, "Conv2D"), (DODepthwiseConv2D, "DepthwiseConv2D")])
@pytest.mark.parametrize("d_mul", [None, 16])
def test_folds_into_the_stock_layer(layer, stock, d_mul):
    first = (5,) if layer is DOConv2D else ()
    trained = layer(*first, (3, 3), d_mul=d_mul)
    folded = getattr(keras.layers, stock)(*first, (3, 3), padding="same")
    x = np.random.default_rng(0).random((2, 9, 11, 4), np.float32)
    trained(x)
    randomise(trained)
    folded(x)
    folded.set_weights(trained.fold())
    assert np.abs(ops.convert_to_numpy(trained(x) - folded(x))).max() <= 1e-5


def test_starts_as_a_plain_convolution_by_w():
    layer = DOConv2D(5, 3)
    layer.build((None, 8, 8, 4))
    kernel = ops.convert_to_numpy(layer.W).reshape(5, 4, 3, 3).transpose(2, 3, 1, 0)
    assert np.array_equal(layer.fold()[0], kernel)


def test_folds_in_float32_under_mixed_precision():
    layer = DOConv2D(5, 3, dtype="mixed_float16")
    layer.build((None, 8, 8, 4))
    assert keras.backend.standardize_dtype(layer.kernel().dtype) == "float32"
    assert keras.backend.standardize_dtype(layer(np.ones((1, 8, 8, 4), "float16")).dtype) == "float16"


@pytest.mark.parametrize("layer", [lambda **o: DOConv2D(5, 3, **o), lambda **o: DODepthwiseConv2D(3, **o)])
def test_refuses_d_mul_below_the_kernel_area(layer):
    with pytest.raises(ModelError, match="below the kernel's area 9"):
        layer(d_mul=8)


def test_config_makes_an_equal_layer():
    layer = DOConv2D(5, (3, 5), strides=2, padding="valid", d_mul=16, use_bias=False, name="x")
    assert DOConv2D.from_config(layer.get_config()).get_config() == layer.get_config()
