"""MAFDN, a multi-attention feature distillation network with DO-Conv (2024): a **reconstruction**, in training and deploy form.

Only the paper's abstract is public. Documented: built on IMDN, a unit called MAFDB with several distillation branches, pixel,
spatial and channel attention, DO-Conv residual blocks (OPCRB) that cost nothing at inference, 597K parameters and 33.79G
multiply-adds at x4. Everything else here is inferred from published parts so that both totals are met; that they are met is
no evidence that the paper wires it so. Each inferred number is an argument of `MAFDN`, each inferred wiring a line below.

Source: Zhang et al., "A Multi-Attention Feature Distillation Neural Network for Lightweight Single Image Super-Resolution",
International Journal of Intelligent Systems, 2024 (abstract).
"""

from collections.abc import Mapping

import keras
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.attention import ContrastChannelAttention, PixelAttention, SpatialAttention
from keras_models.base import SuperResolution, image_input, register
from keras_models.blocks import Block, conv, dtype_scope, pixel_shuffle
from keras_models.do_conv import DOConv2D
from keras_models.system.errors import ModelError

SCALES = (2, 3, 4)
CONVOLUTIONS = ("do", "plain")
BRANCHES = 3
"""Refinement steps of a block; a last 3x3 convolution makes one branch more."""


@register_keras_serializable("mobile_sr")
class MAFDB(Block):
    """Multi-attention feature distillation block: three distillation steps, four gated branches, fusion, residual."""

    def __init__(
        self,
        features: int,
        distilled: int,
        negative_slope: float,
        reduction: int,
        spatial_kernel: int,
        epsilon: float,
        convolution: str,
        name: str,
    ) -> None:
        super().__init__(
            name,
            features=features,
            distilled=distilled,
            negative_slope=negative_slope,
            reduction=reduction,
            spatial_kernel=spatial_kernel,
            epsilon=epsilon,
            convolution=convolution,
        )
        self.negative_slope = negative_slope
        self.d1, self.d2, self.d3 = (conv(features, distilled, name=f"d{i}") for i in (1, 2, 3))
        self.d4 = conv(features, distilled, 3, name="d4")
        self.r1, self.r2, self.r3 = (residual_conv(features, convolution, f"r{i}") for i in (1, 2, 3))
        self.pa1, self.pa2, self.pa3 = (PixelAttention(features, name=f"pa{i}") for i in (1, 2, 3))
        self.ca1, self.ca2, self.ca3, self.ca4 = (
            ContrastChannelAttention(distilled, reduction, epsilon, name=f"ca{i}") for i in (1, 2, 3, 4)
        )
        self.sa1, self.sa2, self.sa3, self.sa4 = (SpatialAttention(spatial_kernel, name=f"sa{i}") for i in (1, 2, 3, 4))
        self.fuse = conv((BRANCHES + 1) * distilled, features, name="fuse")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:  # noqa: D102
        d1, r1 = self.act(self.d1(x)), self.pa1(self.opcrb(self.r1, x))
        d2, r2 = self.act(self.d2(r1)), self.pa2(self.opcrb(self.r2, r1))
        d3, r3 = self.act(self.d3(r2)), self.pa3(self.opcrb(self.r3, r2))
        d4 = self.act(self.d4(r3))
        branches = [self.sa1(self.ca1(d1)), self.sa2(self.ca2(d2)), self.sa3(self.ca3(d3)), self.sa4(self.ca4(d4))]
        return x + self.fuse(ops.concatenate(branches, axis=-1))

    def opcrb(self, convolution: keras.layers.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
        """Over-parameterized convolution residual block: add the input, then activate."""
        return self.act(convolution(x) + x)

    def act(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The network's activation."""
        return ops.leaky_relu(x, self.negative_slope)


def residual_conv(features: int, convolution: str, name: str) -> keras.layers.Layer:
    """The 3x3 convolution of an OPCRB: DO-Conv to train, the stock one that it folds into to deploy."""
    return DOConv2D(features, 3, name=name) if convolution == "do" else conv(features, features, 3, name=name)


@register
class MAFDN(SuperResolution):
    """MAFDN: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped.

    Args:
        scale: 2, 3 or 4.
        features: channels of the trunk (inferred).
        distilled: channels of a distillation branch (inferred: half of the features).
        blocks: number of MAFDB blocks (inferred, IMDN's).
        negative_slope: of the LeakyReLU (inferred, IMDN's).
        reduction: of the channel attention's inner width (inferred).
        spatial_kernel: side of the spatial attention's convolution (inferred, CBAM's).
        epsilon: under the root of the contrast (inferred; keeps gradients finite on flat maps).
        convolution: of the OPCRBs: "do" (DO-Conv, training form) or "plain" (deploy form).
        name: of the model.
        dtype: of the layers, a dtype or policy ("mixed_float16"); None: Keras' own.
        trainable: False freezes all weights.

    Raises:
        ModelError: an argument outside its values.

    Example:
        >>> from keras_models import MAFDN
        >>> MAFDN(scale=2, features=12, distilled=8, blocks=1).scale
        2
    """

    pixel_shuffle_convs = ("up",)
    long_skip = ("head", "tail", "up")

    def __init__(
        self,
        scale: int = 4,
        features: int = 48,
        distilled: int = 24,
        blocks: int = 6,
        negative_slope: float = 0.05,
        reduction: int = 4,
        spatial_kernel: int = 7,
        epsilon: float = 1e-5,
        convolution: str = "do",
        name: str = "mafdn",
        dtype: object = None,
        trainable: bool = True,
    ) -> None:
        _validate(scale, features, distilled, blocks, reduction, convolution)
        with dtype_scope(dtype):
            image = image_input()
            head = x = conv(3, features, 3, name="head")(image)
            outputs = []
            for i in range(blocks):
                settings = (features, distilled, negative_slope, reduction, spatial_kernel, epsilon, convolution)
                x = MAFDB(*settings, name=f"blocks.{i}")(x)
                outputs.append(x)
            collected = ops.concatenate(outputs, axis=-1) if blocks > 1 else x
            fused = ops.leaky_relu(conv(blocks * features, features, name="fuse")(collected), negative_slope)
            gated = PixelAttention(features, name="pa")(fused)
            long_skip = conv(features, features, 3, name="tail")(gated) + head
            upscaled = pixel_shuffle(conv(features, 3 * scale**2, 3, name="up")(long_skip), scale)
        config = {
            "scale": scale,
            "features": features,
            "distilled": distilled,
            "blocks": blocks,
            "negative_slope": negative_slope,
            "reduction": reduction,
            "spatial_kernel": spatial_kernel,
            "epsilon": epsilon,
            "convolution": convolution,
        }
        super().__init__(image, upscaled, config, name, trainable)

    def deploy_config(self) -> dict:
        """The configuration of the form that this one folds into; a deploy form gives its own."""
        return {**self.get_config(), "convolution": "plain"}

    @property
    def halo(self) -> int:
        """Low-resolution pixels around a tile after which only the tile's own channel statistics make a difference."""
        return 32

    @property
    def receptive_radius(self) -> int:
        """Low-resolution pixels that the convolutions around a pixel reach; the channel attention reads the whole image."""
        return (BRANCHES + 1 + self.spatial_kernel // 2) * self.blocks + 3

    @classmethod
    def config_from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """The configuration of a PyTorch checkpoint, from its tensors' names and shapes (OIHW); None if not an MAFDN."""
        if not {"head.weight", "blocks.0.d1.weight", "blocks.0.ca1.fc1.weight", "blocks.0.sa1.conv.weight", "up.weight"} <= shapes.keys():
            return None
        distilled = shapes["blocks.0.d1.weight"][0]
        return {
            "scale": round((shapes["up.weight"][0] / 3) ** 0.5),
            "features": shapes["head.weight"][0],
            "distilled": distilled,
            "blocks": sum(name.endswith(".d4.weight") for name in shapes),
            "reduction": distilled // max(1, shapes["blocks.0.ca1.fc1.weight"][0]),
            "spatial_kernel": shapes["blocks.0.sa1.conv.weight"][-1],
            "convolution": "do" if "blocks.0.r1.W" in shapes else "plain",
        }


def _validate(scale: int, features: int, distilled: int, blocks: int, reduction: int, convolution: str) -> None:
    if scale not in SCALES:
        raise ModelError(f"MAFDN: scale is {scale!r}: give one of {SCALES}")
    if min(features, distilled, blocks, reduction) < 1 or distilled < reduction:
        raise ModelError(
            f"MAFDN: features {features}, distilled {distilled}, blocks {blocks}, reduction {reduction}: "
            "all must be at least 1, and the reduction at most the distilled channels"
        )
    if convolution not in CONVOLUTIONS:
        raise ModelError(f"MAFDN: convolution {convolution!r}: give one of {', '.join(CONVOLUTIONS)}")
