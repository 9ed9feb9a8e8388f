"""LKDN and LKDN-S, the Large Kernel Distillation Network (CVPR NTIRE 2023), in training and in deploy form.

Figure 2a of the paper: the image, repeated four times, goes through a BSConv into a trunk of LKDB blocks; all their outputs
are fused (1x1, GELU, BSConv), the head's output is added (long skip), and an upsampler makes the larger image.
"""

from collections.abc import Mapping

import keras
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.blocks import LKDB, STEPS, BSConvU, Upsampler, UpsamplerRep, conv, gelu
from keras_models.system.errors import ModelError

UPSAMPLERS = {"plain": Upsampler, "rep": UpsamplerRep}
SCALES = (2, 3, 4)


@register_keras_serializable("mobile_sr")
class LKDN(keras.Model):
    """LKDN as a functional Keras model: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped.

    Args:
        scale: 2, 3 or 4.
        features: channels of the trunk, even (LKDN 56, LKDN-S 42).
        attention_channels: channels of the large kernel attention.
        blocks: number of LKDB blocks (LKDN 8, LKDN-S 5).
        step: distillation step: "BSConvU", "BSConvU_idt" or "BSConvU_rep" (training form of "BSConvU").
        upsampler: "plain" or "rep" (training form of "plain").
        name: of the model.

    Raises:
        ModelError: an argument outside the values above.
    """

    pixel_shuffle_convs = ("upsampler.0", "upsampler.conv1", "upsampler.conv3", "upsampler.conv3x3")
    """Layers whose filters are in pixel shuffle order, by their names in a PyTorch checkpoint."""

    long_skip = ("fea_conv", "c2", "upsampler")
    """Names of the layers (head, end of the trunk, last): the last reads the sum of the first two."""

    def __init__(
        self,
        scale: int = 4,
        features: int = 56,
        attention_channels: int = 56,
        blocks: int = 8,
        step: str = "BSConvU",
        upsampler: str = "plain",
        name: str = "lkdn",
    ) -> None:
        _validate(scale, features, attention_channels, blocks, step, upsampler)
        image = keras.Input((None, None, 3), name="image")
        head = x = BSConvU(12, features, name="fea_conv")(ops.concatenate([image] * 4, axis=-1))
        outputs = []
        for i in range(blocks):
            x = LKDB(features, attention_channels, step, name=f"B{i + 1}")(x)
            outputs.append(x)
        trunk = ops.concatenate(outputs, axis=-1) if blocks > 1 else x
        fused = gelu(conv(features * blocks, features, name="c1")(trunk))
        long_skip = BSConvU(features, features, name="c2")(fused) + head
        upscaled = UPSAMPLERS[upsampler](features, scale, name="upsampler")(long_skip)
        super().__init__(inputs=image, outputs=upscaled, name=name)
        self.scale, self.features, self.attention_channels = scale, features, attention_channels
        self.blocks, self.step, self.upsampler = blocks, step, upsampler

    def get_config(self) -> dict:
        """The constructor's arguments."""
        keys = ("scale", "features", "attention_channels", "blocks", "step", "upsampler", "name")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config: dict, custom_objects: object = None) -> "LKDN":
        """The inverse of `get_config`."""
        return cls(**config)

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
