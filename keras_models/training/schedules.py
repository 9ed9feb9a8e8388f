"""Learning rates over a run: a linear warm-up, then constant, cosine, or stable with a decay at the end."""

import math
from typing import Any

import keras
from keras import ops
from keras.saving import register_keras_serializable

SCHEDULES = ("constant", "cosine", "wsd")


@register_keras_serializable("mobile_sr")
class WarmUpDecay(keras.optimizers.schedules.LearningRateSchedule):
    """`peak` after `warmup` steps, then by `shape` to `floor * peak` at `steps`.

    Args:
        peak: largest learning rate.
        steps: length of the run.
        shape: "constant" (the authors'), "cosine", or "wsd": warm-up, stable, and a cosine over the last `decay` steps,
            so that a run can be ended early or prolonged by moving `steps` while the rate is still stable.
        warmup: steps of linear warm-up.
        decay: steps of the final decay, only for "wsd".
        floor: final share of the peak.

    Raises:
        ValueError: an unknown shape.
    """

    def __init__(self, peak: float, steps: int, shape: str = "cosine", warmup: int = 0, decay: int = 0, floor: float = 0.002) -> None:
        if shape not in SCHEDULES:
            raise ValueError(f"schedule {shape!r}: give one of {SCHEDULES}")
        self.peak, self.steps, self.shape, self.warmup, self.decay, self.floor = peak, steps, shape, warmup, decay, floor

    def __call__(self, step: Any) -> Any:
        """The rate of the update after `step` updates, a float32 scalar tensor."""
        step = ops.cast(step, "float32")
        rate = ops.minimum(1.0, (step + 1) / max(1, self.warmup))
        if self.shape == "constant":
            return self.peak * rate
        length = self.decay if self.shape == "wsd" else self.steps - self.warmup
        done = ops.clip((step - (self.steps - length)) / max(1, length), 0.0, 1.0)
        return self.peak * rate * (self.floor + (1 - self.floor) * 0.5 * (1 + ops.cos(math.pi * done)))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {key: getattr(self, key) for key in ("peak", "steps", "shape", "warmup", "decay", "floor")}
