"""LKDN and LKDN-S, the Large Kernel Distillation Network (CVPR NTIRE 2023), in training and in deploy form.

Figure 2a of the paper: the image, repeated four times, goes through a BSConv into a trunk of LKDB blocks; all their outputs
are fused (1x1, GELU, BSConv), the head's output is added (long skip), and an upsampler makes the larger image. The blocks
bear the paper's names: BSConv and its variants (Figures 3 and 4), the large kernel attention, LKDB (Figure 2b).

Source: Xie et al., "Large Kernel Distillation Network for Efficient Single Image Super-Resolution", CVPR NTIRE 2023.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.base import SuperResolution, image_input, register
from keras_models.blocks import Block, PixelNorm, conv, depthwise, dtype_scope, float64_weights, gelu, pixel_shuffle
from keras_models.system.errors import ModelError


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
        (pw,), (dw, bias), (rep, rep_bias) = (float64_weights(layer) for layer in (self.pw, self.dw, self.rep1x1))
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
        (k1, b1), (k3, b3) = float64_weights(self.conv1), float64_weights(self.conv3)
        (widen, widen_bias), (k33, b33) = float64_weights(self.conv1x1), float64_weights(self.conv3x3)
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


UPSAMPLERS = {"plain": Upsampler, "rep": UpsamplerRep}
SCALES = (2, 3, 4)


@register
class LKDN(SuperResolution):
    """LKDN: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped.

    Args:
        scale: 2, 3 or 4.
        features: channels of the trunk, even (LKDN 56, LKDN-S 42).
        attention_channels: channels of the large kernel attention.
        blocks: number of LKDB blocks (LKDN 8, LKDN-S 5).
        step: distillation step: "BSConvU", "BSConvU_idt" or "BSConvU_rep" (training form of "BSConvU").
        upsampler: "plain" or "rep" (training form of "plain").
        name: of the model.
        dtype: of the layers, a dtype or policy ("mixed_float16"); None: Keras' own.
        trainable: False freezes all weights.

    Raises:
        ModelError: an argument outside the values above.

    Example:
        >>> from keras_models import LKDN
        >>> LKDN(scale=3, features=42, attention_channels=42, blocks=5).count_params()
        121218
    """

    pixel_shuffle_convs = ("upsampler.0", "upsampler.conv1", "upsampler.conv3", "upsampler.conv3x3")
    long_skip = ("fea_conv", "c2", "upsampler")

    def __init__(
        self,
        scale: int = 4,
        features: int = 56,
        attention_channels: int = 56,
        blocks: int = 8,
        step: str = "BSConvU",
        upsampler: str = "plain",
        name: str = "lkdn",
        dtype: object = None,
        trainable: bool = True,
    ) -> None:
        _validate(scale, features, attention_channels, blocks, step, upsampler)
        with dtype_scope(dtype):
            image = image_input()
            head = x = BSConvU(12, features, name="fea_conv")(ops.concatenate([image] * 4, axis=-1))
            outputs = []
            for i in range(blocks):
                x = LKDB(features, attention_channels, step, name=f"B{i + 1}")(x)
                outputs.append(x)
            trunk = ops.concatenate(outputs, axis=-1) if blocks > 1 else x
            fused = gelu(conv(features * blocks, features, name="c1")(trunk))
            long_skip = BSConvU(features, features, name="c2")(fused) + head
            upscaled = UPSAMPLERS[upsampler](features, scale, name="upsampler")(long_skip)
        config = {
            "scale": scale,
            "features": features,
            "attention_channels": attention_channels,
            "blocks": blocks,
            "step": step,
            "upsampler": upsampler,
        }
        super().__init__(image, upscaled, config, name, trainable)

    def deploy_config(self) -> dict:
        """The configuration of the form that this one folds into; a deploy form gives its own."""
        step = "BSConvU" if self.step == "BSConvU_rep" else self.step
        return {**self.get_config(), "step": step, "upsampler": "plain"}

    @property
    def halo(self) -> int:
        """Low-resolution pixels around a tile after which its seams stay below 1/255 (measured, see README, Tiles)."""
        return 32

    @property
    def receptive_radius(self) -> int:
        """Low-resolution pixels around a pixel that its result can depend on (12 a block, 3 outside)."""
        return 12 * self.blocks + 3

    @classmethod
    def config_from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """The configuration of a PyTorch checkpoint, from its tensors' names and shapes (OIHW); None if not an LKDN.

        "BSConvU" and "BSConvU_idt" have the same names and shapes: the plain one is assumed (all released files are).
        """
        if not {"fea_conv.pw.weight", "B1.c5.weight", "B1.c1_d.weight"} <= shapes.keys():
            return None
        upsampler = "rep" if "upsampler.conv3.weight" in shapes else "plain"
        last = shapes.get("upsampler.conv3.weight" if upsampler == "rep" else "upsampler.0.weight")
        if last is None:
            return None
        return {
            "scale": round((last[0] / 3) ** 0.5),
            "features": shapes["fea_conv.pw.weight"][0],
            "attention_channels": shapes["B1.c5.weight"][0],
            "blocks": sum(name.endswith(".c5.weight") for name in shapes),
            "step": "BSConvU_rep" if "B1.c1_r.rep1x1.weight" in shapes else "BSConvU",
            "upsampler": upsampler,
        }


def _validate(scale: int, features: int, attention_channels: int, blocks: int, step: str, upsampler: str) -> None:
    if scale not in SCALES:
        raise ModelError(f"LKDN: scale is {scale!r}: give one of {SCALES}")
    if features < 2 or features % 2 or attention_channels < 1 or blocks < 1:
        raise ModelError(
            f"LKDN: features {features}, attention channels {attention_channels}, blocks {blocks}: "
            "features must be even and at least 2, the others at least 1"
        )
    if step not in STEPS or upsampler not in UPSAMPLERS:
        raise ModelError(f"LKDN: step {step!r}, upsampler {upsampler!r}: give one of {tuple(STEPS)} and one of {tuple(UPSAMPLERS)}")
