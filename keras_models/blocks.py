"""What networks are built of: a block that can be unrolled, convolutions started as PyTorch starts them, pixel norm, pixel shuffle.

Every layer maps (N, H, W, C) float to (N, H, W, C') float with zero "same" padding. A `Block` only calls other layers
and element-wise operations, so a network can be unrolled into stock operations. A layer with `fold()` is a
re-parameterizable one: it gives the weights of the simpler layer that takes its place in deploy form; with `folded()` it
does so inside a training step, too.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.saving import register_keras_serializable


def conv(in_channels: int, filters: int, kernel_size: int = 1, *, use_bias: bool = True, name: str) -> keras.layers.Conv2D:
    """A stride-1 "same" Conv2D, initialised like PyTorch's (uniform, +-1/sqrt(fan_in), kernel and bias)."""
    start = _torch_uniform(in_channels * kernel_size**2)
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", use_bias=use_bias, kernel_initializer=start, bias_initializer=start, name=name
    )


def depthwise(kernel_size: int, *, dilation: int = 1, name: str) -> keras.layers.DepthwiseConv2D:
    """A stride-1 "same" DepthwiseConv2D with bias, initialised like PyTorch's (fan_in of one channel)."""
    start = _torch_uniform(kernel_size**2)
    return keras.layers.DepthwiseConv2D(
        kernel_size, padding="same", dilation_rate=dilation, depthwise_initializer=start, bias_initializer=start, name=name
    )


def _torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    limit = fan_in**-0.5
    return keras.initializers.RandomUniform(-limit, limit)


@contextlib.contextmanager
def dtype_scope(dtype: Any) -> Iterator[None]:
    """Layers made inside get this dtype or policy ("mixed_float16", ...); None leaves Keras' own."""
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class Block(keras.layers.Layer):
    """A named group of layers: all weights sit in stock sublayers, so that `call` can be unrolled into a flat graph."""

    def __init__(self, name: str, **config: object) -> None:
        super().__init__(name=name)
        self._config = config

    @classmethod
    def from_config(cls, config: dict) -> "Block":
        """The inverse of `get_config`; the sublayers get the block's dtype policy."""
        config = dict(config)
        with dtype_scope(keras.dtype_policies.get(config.pop("dtype", None))):
            return cls(**config)

    def build(self, input_shape: tuple) -> None:
        """Builds the sublayers. Like `compute_output_spec` it asks Keras for shapes, not the backend, which takes seconds."""
        self.call(keras.KerasTensor(input_shape, self.compute_dtype))

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Shape and dtype of the result."""
        result = self.call(x)
        return keras.KerasTensor(result.shape, result.dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": keras.dtype_policies.serialize(self.dtype_policy), **self._config}


@register_keras_serializable("mobile_sr")
class PixelNorm(keras.layers.Layer):
    """Layer norm over the channels of each pixel: biased variance, learned scale `gamma` and shift `beta`.

    Computed in float32 whatever the compute dtype: a square of +-300 already overflows half precision.
    """

    def __init__(self, epsilon: float = 1e-5, name: str | None = None, dtype: object = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.epsilon = epsilon

    def build(self, input_shape: tuple) -> None:
        """Creates gamma (ones) and beta (zeros), each (C,)."""
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        centred = ops.cast(x, "float32")
        centred = centred - ops.mean(centred, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        normalised = centred * ops.rsqrt(variance + self.epsilon)
        return ops.cast(normalised, x.dtype) * ops.cast(self.gamma, x.dtype) + ops.cast(self.beta, x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "epsilon": self.epsilon, "dtype": keras.dtype_policies.serialize(self.dtype_policy)}


def gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """The exact (erf) GELU of any tensor."""
    if isinstance(x, keras.KerasTensor) or TRAINING_GELU.get() is None:
        return ops.gelu(x, approximate=False)
    return TRAINING_GELU.get()(x)


TRAINING_GELU: ContextVar[Any] = ContextVar("training_gelu", default=None)
"""What computes a GELU instead while a step is traced that `keras_models.training` wants with a gradient of its own."""


def pixel_shuffle(x: keras.KerasTensor, scale: int) -> keras.KerasTensor:
    """(N, H, W, 3 s^2) to (N, sH, sW, 3), block-major as TensorFlow's depth_to_space: channel = (dy*s + dx)*3 + c.

    PyTorch's order is channel-major (c*s*s + dy*s + dx): `keras_models.checkpoints.state_dict`
    permutes filters at import and export.
    """
    return ops.depth_to_space(x, scale)


def float64_weights(layer: keras.layers.Layer) -> list[np.ndarray]:
    """A layer's weights for sums that must be exact: float64 arrays."""
    return [np.asarray(w, np.float64) for w in layer.get_weights()]
