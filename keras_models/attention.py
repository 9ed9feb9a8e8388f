"""The attentions that MAFDN gathers: pixel (PAN), contrast-aware channel (IMDN), spatial (CBAM).

Each gates its input: `z * sigmoid(...)`, (N, H, W, C) to the same shape. Sources: Zhao et al., "Efficient Image Super-Resolution
Using Pixel Attention", 2020; Hui et al., "Lightweight Image Super-Resolution with Information Multi-Distillation Network", 2019;
Woo et al., "CBAM: Convolutional Block Attention Module", 2018.
"""

import keras
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.blocks import Block, conv


@register_keras_serializable("mobile_sr")
class PixelAttention(Block):
    """A gate for every pixel and channel: `z * sigmoid(conv1x1(z))`."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__(name, channels=channels)
        self.conv = conv(channels, channels, name="conv")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return x * ops.sigmoid(self.conv(x))


@register_keras_serializable("mobile_sr")
class Contrast(keras.layers.Layer):
    """Mean plus standard deviation of each channel over the image, (N, H, W, C) to (N, 1, 1, C): `mean + sqrt(var + epsilon)`.

    In float32 whatever the compute dtype, in two passes: in half precision the sum over a large map stalls, the mean of
    squares overflows, and epsilon is below the normal range; E[x^2] - E[x]^2 would lose digits even in float32. Without
    epsilon the gradient on a flat map is NaN.
    """

    def __init__(self, epsilon: float = 1e-5, name: str | None = None, dtype: object = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.epsilon = epsilon

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        wide = ops.cast(x, "float32")
        mean = ops.mean(wide, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(wide - mean), axis=(1, 2), keepdims=True)
        return ops.cast(mean + ops.sqrt(variance + self.epsilon), x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """(N, 1, 1, C)."""
        return (input_shape[0], 1, 1, input_shape[-1])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "epsilon": self.epsilon, "dtype": keras.dtype_policies.serialize(self.dtype_policy)}


@register_keras_serializable("mobile_sr")
class ContrastChannelAttention(Block):
    """A gate for every channel, from its contrast over the whole image: `z * sigmoid(fc2(relu(fc1(contrast(z)))))`."""

    def __init__(self, channels: int, reduction: int, epsilon: float, name: str) -> None:
        super().__init__(name, channels=channels, reduction=reduction, epsilon=epsilon)
        self.contrast = Contrast(epsilon, name="contrast")
        self.fc1 = conv(channels, channels // reduction, name="fc1")
        self.fc2 = conv(channels // reduction, channels, name="fc2")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return x * ops.sigmoid(self.fc2(ops.relu(self.fc1(self.contrast(x)))))


@register_keras_serializable("mobile_sr")
class SpatialAttention(Block):
    """A gate for every pixel: `z * sigmoid(conv(concat(mean_c(z), max_c(z))))`, mean first."""

    def __init__(self, kernel_size: int, name: str) -> None:
        super().__init__(name, kernel_size=kernel_size)
        self.conv = conv(2, 1, kernel_size, name="conv")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        both = [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)]
        return x * ops.sigmoid(self.conv(ops.concatenate(both, axis=-1)))
