"""What a run of quantization-aware training is told; both of its processes read it."""

from dataclasses import dataclass
from typing import Any

from keras_models.system.errors import TrainingError


@dataclass(frozen=True)
class QatSettings:
    """Of the optimization, all of it in the checkpoint's identity.

    Attributes:
        steps: optimizer steps in all.
        batch: patches a step.
        patch: side of a patch, low-resolution pixels.
        lr: peak step of Adam, relative: a share of a channel's rms weight, of a range's width.
        hr_share: share of the high-resolution picture in the target; the rest is the float network's output.
        luma_share: share of the luma error in the loss; the rest is the error of R, G and B.
        ema: momentum of the moving average that is validated and kept; 0.995 averages over 200 steps.
        warmup: steps of linear warm-up, then a cosine.
        interval: steps between checkpoints and validations.
        seed: of all patches.
    """

    steps: int = 2000
    batch: int = 4
    patch: int = 40
    lr: float = 1e-3
    hr_share: float = 0.5
    luma_share: float = 0.5
    ema: float = 0.995
    warmup: int = 100
    interval: int = 200
    seed: int = 0


def settings_for(**given: Any) -> QatSettings:
    """The defaults with some replaced, checked.

    Raises:
        TrainingError: a value outside what the attribute means.
    """
    settings = QatSettings(**given)
    for name in ("steps", "batch", "patch", "interval"):
        least = 8 if name == "patch" else 1
        if getattr(settings, name) < least:
            raise TrainingError(f"`{name}` {getattr(settings, name)}: give {least} or more")
    for name in ("hr_share", "luma_share"):
        if not 0 <= getattr(settings, name) <= 1:
            raise TrainingError(f"`{name}` {getattr(settings, name)}: give a share from 0 to 1")
    if not 0 < settings.lr <= 0.1:
        raise TrainingError(f"`lr` {settings.lr}: give a relative rate above 0 and up to 0.1")
    if settings.seed < 0:
        raise TrainingError(f"`seed` {settings.seed}: give 0 or more")
    return settings
