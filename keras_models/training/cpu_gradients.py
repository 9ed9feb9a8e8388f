"""The same layers with gradients that a CPU computes faster, for training with TensorFlow; values as before up to rounding.

Measured on the LKDN-S step (`python scripts/measure_step.py`): the gradient of a depthwise kernel is what costs most, since
TensorFlow's operation for it walks the picture once a tap; a 1x1 convolution is a product of matrices, which saves the
convolution's own preparation; what TensorFlow makes of GELU's gradient goes over the tensor twice as often as it must.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras

from keras_models.blocks import TRAINING_GELU


def use_fast_gradients(network: keras.Model) -> None:
    """Changes how a network's convolutions compute, not what; the network is for training alone and is not saved.

    Args:
        network: built, on the TensorFlow backend.
    """
    for layer in network._flatten_layers(include_self=False):
        if is_plain_depthwise(layer):
            layer.call = _depthwise_call(layer)
        elif type(layer) is keras.layers.Conv2D and _keeps_size(layer) and layer.kernel_size == (1, 1) and layer.groups == 1:
            layer.call = _pointwise_call(layer)


def is_plain_depthwise(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a depthwise convolution of stride 1, zero padding "same" and one filter a channel."""
    return isinstance(layer, keras.layers.DepthwiseConv2D) and _keeps_size(layer) and layer.depth_multiplier == 1


def _keeps_size(layer: keras.layers.Layer) -> bool:
    return layer.strides == (1, 1) and layer.padding == "same"


@contextlib.contextmanager
def fast_gelu() -> Iterator[None]:
    """While a step is traced inside, the GELUs of `keras_models.blocks` are `gelu`. Elsewhere they stay what converters know."""
    before = TRAINING_GELU.set(gelu)
    try:
        yield
    finally:
        TRAINING_GELU.reset(before)


def gelu(x: Any) -> Any:
    """The exact GELU of a tensor of TensorFlow, with a gradient of its own: Phi(x) + x phi(x)."""
    import tensorflow as tf

    @tf.custom_gradient
    def forward(x: Any) -> tuple:
        normal = 0.5 + 0.5 * tf.math.erf(x * 0.5**0.5)
        return x * normal, lambda dy: dy * (normal + x * tf.exp(-0.5 * x * x) * (2 * math.pi) ** -0.5)

    return forward(x)


def _pointwise_call(layer: keras.layers.Conv2D) -> Any:
    def call(x: Any) -> Any:
        import tensorflow as tf

        kernel = tf.convert_to_tensor(layer.kernel)
        y = tf.matmul(tf.reshape(x, (-1, kernel.shape[2])), kernel[0, 0])
        y = tf.nn.bias_add(y, tf.convert_to_tensor(layer.bias)) if layer.use_bias else y
        return tf.reshape(y, (*_sizes(x)[:-1], kernel.shape[3]))

    return call


def _depthwise_call(layer: keras.layers.DepthwiseConv2D) -> Any:
    dilation = layer.dilation_rate[0]

    def call(x: Any) -> Any:
        import tensorflow as tf

        y = depthwise(x, tf.convert_to_tensor(layer.kernel), dilation)
        return tf.nn.bias_add(y, tf.convert_to_tensor(layer.bias)) if layer.use_bias else y

    return call


def depthwise(x: Any, kernel: Any, dilation: int = 1) -> Any:
    """A depthwise convolution, stride 1, zero padding "same", with gradients of its own.

    Args:
        x: (N, H, W, C) float tensor of TensorFlow.
        kernel: (K, K, C, 1), K odd.
        dilation: distance of the taps.

    Returns:
        (N, H, W, C).
    """
    import tensorflow as tf

    @tf.custom_gradient
    def forward(x: Any, kernel: Any) -> tuple:
        def backward(dy: Any) -> tuple:
            return convolve(dy, tf.reverse(kernel, [0, 1])), _kernel_gradient(x, dy, kernel.shape[0], dilation)

        return convolve(x, kernel), backward

    def convolve(x: Any, kernel: Any) -> Any:
        return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME", dilations=[dilation, dilation])

    return forward(x, kernel)


def _kernel_gradient(x: Any, dy: Any, taps: int, dilation: int) -> Any:
    """The gradient of the kernel, itself a depthwise convolution: of the input by the output's gradient as one large kernel.

    Batch and channels become the channels, which the operation runs over side by side; the result is summed over the batch.
    With dilation the pictures are parted into dilation^2 interleaved ones, in each of which the taps are neighbours.
    """
    import tensorflow as tf

    channels, margin = x.shape[-1], taps // 2
    x, dy = _interleaved(x, dilation), _interleaved(dy, dilation)
    x = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
    pictures, large = (tf.transpose(t, (1, 2, 0, 3)) for t in (x, dy))
    rows, columns, batch, _ = _sizes(pictures)
    wide = tf.reshape(pictures, (1, rows, columns, batch * channels))
    kernel = tf.reshape(large, (rows - 2 * margin, columns - 2 * margin, batch * channels, 1))
    each = tf.nn.depthwise_conv2d(wide, kernel, [1, 1, 1, 1], "VALID")
    return tf.reduce_sum(tf.reshape(each, (taps, taps, -1, channels)), axis=2)[..., None]


def _interleaved(x: Any, step: int) -> Any:
    """(N, H, W, C) to (N step^2, ceil(H / step), ceil(W / step), C): every step-th pixel, filled up with zeros."""
    if step == 1:
        return x
    import tensorflow as tf

    batch, height, width, channels = _sizes(x)
    rows, columns = -(-height // step), -(-width // step)
    x = tf.pad(x, [[0, 0], [0, rows * step - height], [0, columns * step - width], [0, 0]])
    x = tf.transpose(tf.reshape(x, (batch, rows, step, columns, step, channels)), (0, 2, 4, 1, 3, 5))
    return tf.reshape(x, (batch * step**2, rows, columns, channels))


def _sizes(x: Any) -> tuple:
    """A tensor's shape, as numbers where they are known while the step is traced."""
    import tensorflow as tf

    known, asked = x.shape, tf.shape(x)
    return tuple(asked[i] if side is None else side for i, side in enumerate(known))
