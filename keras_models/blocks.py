"""The blocks of LKDN under the paper's names: BSConv and its variants, attention, pixel norm, LKDB, upsamplers.

Every layer maps (N, H, W, C) float to (N, H, W, C') float with zero "same" padding. A `Block` only calls other layers
and element-wise operations, so a network can be unrolled into stock Keras layers (`conversion.graph.ir`). A layer with
`fold()` is a re-parameterizable one: it gives the weights of the simpler layer that takes its place in deploy form;
with `folded()` it does so inside a training step, too.

Source: Xie et al., "Large Kernel Distillation Network for Efficient Single Image Super-Resolution", CVPR NTIRE 2023.
"""

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


class Block(keras.layers.Layer):
    """A named group of layers: all weights sit in stock sublayers, so that `call` can be unrolled into a flat graph."""

    def __init__(self, name: str, **config: object) -> None:
        super().__init__(name=name)
        self._config = config

    def build(self, input_shape: tuple) -> None:
        """Builds the sublayers. Like `compute_output_spec` it asks Keras for shapes, not the backend, which takes seconds."""
        self.call(keras.KerasTensor(input_shape, self.compute_dtype))

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Shape and dtype of the result."""
        result = self.call(x)
        return keras.KerasTensor(result.shape, result.dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, **self._config}


@register_keras_serializable("mobile_sr")
class BSConvU(Block):
    """Blueprint separable convolution, BSConv-U: `dw(pw(x))`, 1x1 without bias, then 3x3 depthwise with bias."""

    def __init__(self, in_channels: int, filters: int, name: str) -> None:
        super().__init__(name, in_channels=in_channels, filters=filters)
        self.pw = conv(in_channels, filters, use_bias=False, name="pw")
        self.dw = depthwise(3, name="dw")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return self.dw(self.pw(x))


@register_keras_serializable("mobile_sr")
class BSConvUIdt(BSConvU):
    """BSConv with an identity connection, the paper's Figure 3: `dw(pw(x)) + x`; filters must equal in_channels."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return super().call(x) + x


@register_keras_serializable("mobile_sr")
class RBSB(BSConvU):
    """Re-parameterizable blueprint separable block, Figure 4: `a = pw(x) + x`, then `dw(a) + a + rep1x1(a)`."""

    def __init__(self, in_channels: int, filters: int, name: str) -> None:
        super().__init__(in_channels, filters, name)
        self.rep1x1 = depthwise(1, name="rep1x1")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        a = self.pw(x) + x
        return self.dw(a) + a + self.rep1x1(a)

    def fold(self) -> list[np.ndarray]:
        """Weights of the equal BSConvU: [pw (1, 1, C, C), dw (3, 3, C, 1), bias (C,)], summed in float64.

        Exact at the border too: the depthwise convolution pads `a` with zeros in both forms.
        """
        (pw,), (dw, bias), (rep, rep_bias) = (_float64(layer) for layer in (self.pw, self.dw, self.rep1x1))
        pw[0, 0] += np.eye(pw.shape[-1])
        dw[1, 1] += 1.0 + rep[0, 0]
        return [pw, dw, bias + rep_bias]

    def folded(self) -> list:
        """What `fold` gives, as tensors through which gradients flow."""
        centre = np.zeros((3, 3, 1, 1), np.float32)
        centre[1, 1] = 1
        pw = ops.add(self.pw.kernel, np.eye(self.pw.kernel.shape[-1], dtype=np.float32))
        dw = ops.add(self.dw.kernel, ops.multiply(ops.add(self.rep1x1.kernel, 1.0), centre))
        return [pw, dw, ops.add(self.dw.bias, self.rep1x1.bias)]


@register_keras_serializable("mobile_sr")
class LargeKernelAttention(Block):
    """`x * depthwise_dilated(depthwise(pointwise(x)))`: 1x1, 5x5 depthwise, 5x5 depthwise with dilation 3."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__(name, channels=channels)
        self.pointwise = conv(channels, channels, name="pointwise")
        self.depthwise = depthwise(5, name="depthwise")
        self.depthwise_dilated = depthwise(5, dilation=3, name="depthwise_dilated")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return x * self.depthwise_dilated(self.depthwise(self.pointwise(x)))


@register_keras_serializable("mobile_sr")
class PixelNorm(keras.layers.Layer):
    """Layer norm over the channels of each pixel: biased variance, learned scale `gamma` and shift `beta`.

    Computed in float32 whatever the compute dtype: a square of +-300 already overflows half precision.
    """

    def __init__(self, epsilon: float = 1e-5, name: str | None = None) -> None:
        super().__init__(name=name)
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
        return {"name": self.name, "epsilon": self.epsilon}


STEPS = {"BSConvU": BSConvU, "BSConvU_idt": BSConvUIdt, "BSConvU_rep": RBSB}
"""The released code's names of the distillation step variants."""


@register_keras_serializable("mobile_sr")
class LKDB(Block):
    """Large kernel distillation block, Figure 2b: three distillation steps, fusion, attention, pixel norm, residual."""

    def __init__(self, features: int, attention_channels: int, step: str, name: str) -> None:
        super().__init__(name, features=features, attention_channels=attention_channels, step=step)
        half = features // 2
        self.c1_d = conv(features, half, name="c1_d")
        self.c1_r = STEPS[step](features, features, name="c1_r")
        self.c2_d = conv(features, half, name="c2_d")
        self.c2_r = STEPS[step](features, features, name="c2_r")
        self.c3_d = conv(features, half, name="c3_d")
        self.c3_r = STEPS[step](features, features, name="c3_r")
        self.c4 = BSConvU(features, half, name="c4")
        self.c5 = conv(4 * half, attention_channels, name="c5")
        self.atten = LargeKernelAttention(attention_channels, name="atten")
        self.c6 = conv(attention_channels, features, name="c6")
        self.pixel_norm = PixelNorm(name="pixel_norm")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        d1, r1 = gelu(self.c1_d(x)), gelu(self.c1_r(x))
        d2, r2 = gelu(self.c2_d(r1)), gelu(self.c2_r(r1))
        d3, r3 = gelu(self.c3_d(r2)), gelu(self.c3_r(r2))
        r4 = gelu(self.c4(r3))
        fused = self.c5(ops.concatenate([d1, d2, d3, r4], axis=-1))
        return self.pixel_norm(self.c6(self.atten(fused))) + x


def gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """The exact (erf) GELU of any tensor."""
    return ops.gelu(x, approximate=False)


@register_keras_serializable("mobile_sr")
class Upsampler(Block):
    """3x3 convolution to 3 * scale**2 channels, then pixel shuffle."""

    def __init__(self, features: int, scale: int, name: str) -> None:
        super().__init__(name, features=features, scale=scale)
        self.conv = conv(features, 3 * scale**2, 3, name="0")  # named as in the released nn.Sequential
        self.scale = scale

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return pixel_shuffle(self.conv(x), self.scale)


@register_keras_serializable("mobile_sr")
class UpsamplerRep(Block):
    """Re-parameterizable upsampler: `conv1(x) + conv3(x) + conv3x3(conv1x1(x))`, then pixel shuffle.

    The map between conv1x1 and conv3x3 is padded with conv1x1's bias, which is what conv1x1 makes of zeros.
    """

    def __init__(self, features: int, scale: int, name: str) -> None:
        super().__init__(name, features=features, scale=scale)
        filters = 3 * scale**2
        self.conv1 = conv(features, filters, name="conv1")
        self.conv3 = conv(features, filters, 3, name="conv3")
        self.conv1x1 = conv(features, 2 * features, name="conv1x1")
        self.conv3x3 = conv(2 * features, filters, 3, name="conv3x3")
        self.conv3x3.padding = "valid"
        self.scale = scale

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        ring = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return pixel_shuffle(self.conv1(x) + self.conv3(x) + self.conv3x3(self.conv1x1(ring)), self.scale)

    def fold(self) -> list[np.ndarray]:
        """Weights of the equal Upsampler: [kernel (3, 3, F, 3 s^2), bias (3 s^2,)], summed in float64."""
        (k1, b1), (k3, b3) = _float64(self.conv1), _float64(self.conv3)
        (widen, widen_bias), (k33, b33) = _float64(self.conv1x1), _float64(self.conv3x3)
        kernel = k3 + np.einsum("im,hwmo->hwio", widen[0, 0], k33)
        kernel[1, 1] += k1[0, 0]
        return [kernel, b1 + b3 + b33 + np.einsum("m,hwmo->o", widen_bias, k33)]

    def folded(self) -> list:
        """What `fold` gives, as tensors through which gradients flow."""
        widen, taps = self.conv1x1, ops.reshape(self.conv3x3.kernel, (9, *self.conv3x3.kernel.shape[2:]))
        joined = ops.reshape(ops.matmul(widen.kernel[0], taps), self.conv3.kernel.shape)
        kernel = self.conv3.kernel + ops.pad(self.conv1.kernel, [[1, 1], [1, 1], [0, 0], [0, 0]]) + joined
        through = ops.sum(ops.matmul(ops.reshape(widen.bias, (1, 1, -1)), taps), axis=(0, 1))
        return [kernel, self.conv1.bias + self.conv3.bias + self.conv3x3.bias + through]


def pixel_shuffle(x: keras.KerasTensor, scale: int) -> keras.KerasTensor:
    """(N, H, W, 3 s^2) to (N, sH, sW, 3), block-major as TensorFlow's depth_to_space: channel = (dy*s + dx)*3 + c.

    PyTorch's order is channel-major (c*s*s + dy*s + dx): `keras_models.checkpoints.state_dict` permutes filters at import and export.
    """
    return ops.depth_to_space(x, scale)


def _float64(layer: keras.layers.Layer) -> list[np.ndarray]:
    return [np.asarray(w, np.float64) for w in layer.get_weights()]
