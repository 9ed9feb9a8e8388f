"""SPAN, the Swift Parameter-free Attention Network (CVPR NTIRE 2024 workshop), in training and in deploy form.

Six SPAB blocks of three 3x3 convolutions, whose attention has no weights: it is the block's own last map through an odd
sigmoid. Head, first and last block and the last block's inner map are fused (1x1), then pixel shuffle. Every 3x3 but the
last is a `Conv3XC`, re-parameterizable.

Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPR 2024 Workshops.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.base import SuperResolution, image_input, register
from keras_models.blocks import Block, conv, dtype_scope, float64_weights, pixel_shuffle
from keras_models.system.errors import ModelError


@register_keras_serializable("mobile_sr")
class Conv3XC(Block):
    """Re-parameterizable 3x3 convolution: `conv2(conv1(conv0(x))) + sk(x)`, 1x1, 3x3 and 1x1, twice as wide inside.

    The input gets its ring of zeros before conv0, so that conv0's bias reaches the ring as every other pixel.
    """

    def __init__(self, in_channels: int, filters: int, name: str) -> None:
        super().__init__(name, in_channels=in_channels, filters=filters)
        self.sk = conv(in_channels, filters, name="sk")
        self.conv0 = conv(in_channels, 2 * in_channels, name="conv.0")  # named as in the released nn.Sequential
        self.conv1 = conv(2 * in_channels, 2 * filters, 3, name="conv.1")
        self.conv2 = conv(2 * filters, filters, name="conv.2")
        self.conv1.padding = "valid"

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        ring = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return self.conv2(self.conv1(self.conv0(ring))) + self.sk(x)

    def fold(self) -> list[np.ndarray]:
        """Weights of the equal `FoldedConv3XC`: [kernel (3, 3, in, out), bias (out,)], summed in float64."""
        (first, b0), (middle, b1), (last, b2) = (float64_weights(layer) for layer in (self.conv0, self.conv1, self.conv2))
        skip, skip_bias = float64_weights(self.sk)
        kernel = np.einsum("ia,hwab,bo->hwio", first[0, 0], middle, last[0, 0])
        kernel[1, 1] += skip[0, 0]
        return [kernel, (np.einsum("a,hwab->b", b0, middle) + b1) @ last[0, 0] + b2 + skip_bias]

    def folded(self) -> list:
        """What `fold` gives, as tensors through which gradients flow."""
        first, middle, last = (layer.kernel for layer in (self.conv0, self.conv1, self.conv2))
        taps = ops.reshape(ops.matmul(ops.matmul(first[0], ops.reshape(middle, (9, *middle.shape[2:]))), last[0]), (3, 3, first.shape[2], -1))
        kernel = taps + ops.pad(self.sk.kernel, [[1, 1], [1, 1], [0, 0], [0, 0]])
        through = ops.matmul(ops.reshape(self.conv0.bias, (1, -1)), ops.sum(middle, axis=(0, 1))) + self.conv1.bias
        return [kernel, ops.reshape(ops.matmul(through, last[0, 0]), (-1,)) + self.conv2.bias + self.sk.bias]


@register_keras_serializable("mobile_sr")
class FoldedConv3XC(Block):
    """Deploy form of a `Conv3XC`: one 3x3 convolution, in files the `eval_conv` of its name."""

    def __init__(self, in_channels: int, filters: int, name: str) -> None:
        super().__init__(name, in_channels=in_channels, filters=filters)
        self.eval_conv = conv(in_channels, filters, 3, name="eval_conv")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        return self.eval_conv(x)


def spab(x: keras.KerasTensor, channels: int, conv3: Callable, name: str) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Swift parameter-free attention block: (its result, its first map after the activation)."""
    first = ops.silu(conv3(channels, channels, name=f"{name}.c1_r")(x))
    second = ops.silu(conv3(channels, channels, name=f"{name}.c2_r")(first))
    third = conv3(channels, channels, name=f"{name}.c3_r")(second)
    return (third + x) * (ops.sigmoid(third) - 0.5), first


CONVOLUTIONS = {"Conv3XC": Conv3XC, "plain": FoldedConv3XC}
SCALES = (2, 3, 4)
BLOCKS = 6
MEAN = np.array([0.4488, 0.4371, 0.4040], np.float32)
"""Of DIV2K's R, G, B, subtracted before any padding: the border sees the mean, not black."""


@register
class SPAN(SuperResolution):
    """SPAN: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped.

    Args:
        scale: 2, 3 or 4.
        channels: of the trunk (the paper's 48 or 52, the later challenges' 28).
        norm: whether the input is `(x - MEAN) * 255`; some published files are made without, and say so by a tensor `no_norm`.
        convolution: "Conv3XC" (training form) or "plain" (deploy form).
        name: of the model.
        dtype: of the layers, a dtype or policy ("mixed_float16"); None: Keras' own.
        trainable: False freezes all weights.

    Raises:
        ModelError: an argument outside the values above.

    Example:
        >>> from keras_models import SPAN
        >>> SPAN(scale=4, channels=28, convolution="plain").count_params()
        150688
    """

    pixel_shuffle_convs = ("upsampler.0",)
    ignored_names = (r"(conv_1|conv_2|block_\d\.c\d_r)\.eval_conv\.(weight|bias)", "no_norm")  # a training form's copies are stale

    def __init__(
        self,
        scale: int = 4,
        channels: int = 48,
        norm: bool = True,
        convolution: str = "Conv3XC",
        name: str = "span",
        dtype: object = None,
        trainable: bool = True,
    ) -> None:
        _validate(scale, channels, convolution)
        conv3 = CONVOLUTIONS[convolution]
        with dtype_scope(dtype):
            image = image_input()
            head = x = conv3(3, channels, name="conv_1")((image - MEAN) * 255.0 if norm else image)
            results = []
            for i in range(BLOCKS):
                x, inner = spab(x, channels, conv3, f"block_{i + 1}")
                results.append(x)
            tail = conv3(channels, channels, name="conv_2")(x)
            fused = conv(4 * channels, channels, name="conv_cat")(ops.concatenate([head, tail, results[0], inner], axis=-1))
            upscaled = pixel_shuffle(conv(channels, 3 * scale**2, 3, name="upsampler.0")(fused), scale)
        config = {"scale": scale, "channels": channels, "norm": norm, "convolution": convolution}
        super().__init__(image, upscaled, config, name, trainable)

    def deploy_config(self) -> dict:
        """The configuration of the form that this one folds into; a deploy form gives its own."""
        return {**self.get_config(), "convolution": "plain"}

    @property
    def checkpoint_marks(self) -> dict[str, np.ndarray]:
        """The tensor by which a file says that its network takes the image as it is."""
        return {} if self.norm else {"no_norm": np.zeros(1, np.float32)}

    @property
    def halo(self) -> int:
        """Low-resolution pixels around a tile after which nothing outside reaches it."""
        return self.receptive_radius

    @property
    def receptive_radius(self) -> int:
        """One a 3x3 convolution on the longest path."""
        return 3 * BLOCKS + 3

    @classmethod
    def config_from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """The configuration of a PyTorch checkpoint, from its tensors' names and shapes (OIHW); None if not a SPAN."""
        trained = "conv_1.sk.weight" in shapes
        first = shapes.get("conv_1.sk.weight" if trained else "conv_1.eval_conv.weight")
        if first is None or not {"conv_cat.weight", "upsampler.0.weight"} <= shapes.keys():
            return None
        return {
            "scale": round((shapes["upsampler.0.weight"][0] / 3) ** 0.5),
            "channels": first[0],
            "norm": "no_norm" not in shapes,
            "convolution": "Conv3XC" if trained else "plain",
        }


def _validate(scale: int, channels: int, convolution: str) -> None:
    if scale not in SCALES:
        raise ModelError(f"SPAN: scale is {scale!r}: give one of {SCALES}")
    if channels < 1 or convolution not in CONVOLUTIONS:
        raise ModelError(f"SPAN: channels {channels}, convolution {convolution!r}: give at least 1, and one of {tuple(CONVOLUTIONS)}")
