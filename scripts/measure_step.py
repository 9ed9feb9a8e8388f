"""What a training step costs, with TensorFlow's own gradients and with this project's, interleaved on this machine.

    python scripts/measure_step.py [PRESET] [ROUNDS]

Random patches (8 of 32x32), Adam, the form that `train` computes; prints milliseconds, their ratio, and the largest difference
of any weight's gradient, relative to the largest gradient of that weight.
"""

import sys
from functools import partial
from typing import Annotated
from unittest import mock

import numpy as np
import typer
from interleaved import interleaved
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    import keras
    import tensorflow as tf

    from keras_models.training import run as training
    from keras_models.training.settings import settings_for


def main(preset: Annotated[str, typer.Argument()] = "lkdn-s-x4", rounds: Annotated[int, typer.Argument(min=1)] = 15) -> None:
    """Prints the two times and the difference."""
    settings = settings_for(preset, batch=8, patch=32)
    rng = np.random.default_rng(0)
    low = rng.random((8, 32, 32, 3), np.float32)
    scale = training.preset_named(preset).scale
    high = rng.random((8, 32 * scale, 32 * scale, 3), np.float32)
    steps, gradients = {}, {}
    for name in ("own", "tensorflow"):
        with mock.patch.object(training, "computes_with_tensorflow_on_cpu", lambda own=name == "own": own):
            student, _ = training.build_student(settings)
        gradients[name] = _gradients(student, low, high)
        steps[name] = partial(student.train_on_batch, low, high)
    times = {name: np.array(ms) for name, ms in interleaved(steps, rounds).items()}
    pairs = zip(gradients["own"], gradients["tensorflow"], strict=True)
    worst = max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)) for a, b in pairs)
    before, after = times["tensorflow"], times["own"]
    sys.stdout.write(
        f"{preset}: {np.median(before):.0f} ms a step, {np.median(after):.0f} ms with own gradients "
        f"(median of {rounds}; {np.median(before / after):.2f} times as fast, "
        f"minimum {before.min() / after.min():.2f}); gradients differ by {worst:.1e}\n"
    )


def _gradients(student: keras.Model, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        loss = student.compute_loss(low, high, student(low, training=True))
    return [g.numpy() for g in tape.gradient(loss, [v.value for v in student.trainable_variables])]


if __name__ == "__main__":
    run(main, __doc__)
