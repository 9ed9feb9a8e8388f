"""SRVGGNetCompact, the small plain network of Real-ESRGAN (ICCVW 2021): 3x3 convolutions and PReLU, the image added at the end.

It has no training form of its own. Scale 1 restores without enlarging.

Source: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV 2021 Workshops.
"""

import re
from collections.abc import Mapping

import keras
from keras import ops

from keras_models.base import SuperResolution, image_input, register
from keras_models.blocks import conv, dtype_scope, pixel_shuffle
from keras_models.system.errors import ModelError

SCALES = (1, 2, 3, 4)


@register
class SRVGGNetCompact(SuperResolution):
    """SRVGGNetCompact: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped.

    Args:
        scale: 1, 2, 3 or 4.
        features: channels of the body.
        convolutions: 3x3 convolutions of the body, between the first and the last.
        name: of the model.
        dtype: of the layers, a dtype or policy ("mixed_float16"); None: Keras' own.
        trainable: False freezes all weights.

    Raises:
        ModelError: an argument outside the values above.

    Example:
        >>> from keras_models import SRVGGNetCompact
        >>> SRVGGNetCompact(scale=4, features=64, convolutions=16).count_params()
        621424
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        convolutions: int = 32,
        name: str = "srvggnet_compact",
        dtype: object = None,
        trainable: bool = True,
    ) -> None:
        _validate(scale, features, convolutions)
        last = 2 * convolutions + 2  # the body is numbered as the released nn.ModuleList: convolutions even, slopes odd
        with dtype_scope(dtype):
            image = image_input()
            x = image
            for i in range(0, last, 2):
                x = conv(features if i else 3, features, 3, name=f"body.{i}")(x)
                x = keras.layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=(1, 2), name=f"body.{i + 1}")(x)
            residual = conv(features, 3 * scale**2, 3, name=f"body.{last}")(x)
            nearest = ops.concatenate([image] * scale**2, axis=-1) if scale > 1 else image
            upscaled = pixel_shuffle(residual + nearest, scale) if scale > 1 else residual + nearest
        config = {"scale": scale, "features": features, "convolutions": convolutions}
        super().__init__(image, upscaled, config, name, trainable)
        self.pixel_shuffle_convs = (f"body.{last}",)

    @property
    def halo(self) -> int:
        """Low-resolution pixels around a tile after which nothing outside reaches it."""
        return self.receptive_radius

    @property
    def receptive_radius(self) -> int:
        """One a convolution."""
        return self.convolutions + 2

    @classmethod
    def config_from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """The configuration of a PyTorch checkpoint, from its tensors' names and shapes (OIHW); None if not of this network."""
        indices = [int(match[1]) for name in shapes if (match := re.fullmatch(r"body\.(\d{1,3})\.weight", name))]
        last = max(indices, default=0)
        if last < 4 or last % 2 or not {"body.0.weight", "body.1.weight", f"body.{last}.bias"} <= shapes.keys():
            return None
        return {
            "scale": round((shapes[f"body.{last}.bias"][0] / 3) ** 0.5),
            "features": shapes["body.0.weight"][0],
            "convolutions": (last - 2) // 2,
        }


def _validate(scale: int, features: int, convolutions: int) -> None:
    if scale not in SCALES:
        raise ModelError(f"SRVGGNetCompact: scale is {scale!r}: give one of {SCALES}")
    if features < 1 or convolutions < 1:
        raise ModelError(f"SRVGGNetCompact: features {features}, convolutions {convolutions}: give at least 1")
