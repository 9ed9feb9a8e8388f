"""What a training step costs, as TensorFlow computes it and as `mobile-sr train` does, interleaved on this machine.

    python scripts/measure_step.py [PRESET] [ROUNDS]

Random patches (8 of 32x32), Adam, the form that `train` computes. Each way is a process of its own, since TensorFlow's threads are
settled once a process: TensorFlow's gradients; this project's; those with a part of the batch for each core. Prints milliseconds,
their ratio to the first, and the largest difference of any weight's gradient, relative to the largest gradient of that weight.
"""

import contextlib
import multiprocessing
import sys
from functools import partial
from multiprocessing.connection import Connection
from typing import Annotated, Any
from unittest import mock

import numpy as np
import typer
from interleaved import interleaved
from script import run

WAYS = {"TensorFlow's gradients": (False, False), "own gradients": (True, False), "and a part for each core": (True, True)}
"""Name -> own gradients, parts."""


def main(preset: Annotated[str, typer.Argument()] = "lkdn-s-x4", rounds: Annotated[int, typer.Argument(min=1)] = 15) -> None:
    """Prints the times and the differences."""
    context = multiprocessing.get_context("spawn")
    pipes, gradients = {}, {}
    for name, way in WAYS.items():
        pipes[name], end = context.Pipe()
        context.Process(target=_serve, args=(end, preset, *way), daemon=True).start()
        gradients[name] = pipes[name].recv()
    times = {name: np.array(ms) for name, ms in interleaved({n: partial(_ask, p) for n, p in pipes.items()}, rounds).items()}
    first = next(iter(WAYS))
    sys.stdout.write(f"{preset}, median of {rounds} rounds:\n")
    for name, ms in times.items():
        pairs = zip(gradients[name], gradients[first], strict=True)
        worst = max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)) for a, b in pairs)
        sys.stdout.write(
            f"  {name}: {np.median(ms):.0f} ms a step, {np.median(times[first] / ms):.2f} times as fast "
            f"(minimum {times[first].min() / ms.min():.2f}); gradients differ by {worst:.1e}\n"
        )


def _ask(pipe: Connection) -> None:
    pipe.send(None)
    pipe.recv()


def _serve(pipe: Connection, preset: str, own: bool, parts: bool) -> None:
    """Sends the gradients, then makes a step whenever it is asked to."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from keras_models.training import run as training
    from keras_models.training.cpu_parts import split_over_cores
    from keras_models.training.settings import settings_for

    if parts:
        split_over_cores(batch=8)
    rng = np.random.default_rng(0)
    low = rng.random((8, 32, 32, 3), np.float32)
    scale = training.preset_named(preset).scale
    high = rng.random((8, 32 * scale, 32 * scale, 3), np.float32)
    with mock.patch.object(training, "computes_with_tensorflow_on_cpu", lambda: own):
        student, _ = training.build_student(settings_for(preset, batch=8, patch=32))
    pipe.send(_gradients(student, low, high))
    with contextlib.suppress(EOFError):  # whoever asked is done
        while True:
            pipe.recv()
            student.train_on_batch(low, high)
            pipe.send(None)


def _gradients(student: Any, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = student.compute_loss(low, high, student(low, training=True))
    return [g.numpy() for g in tape.gradient(loss, [v.value for v in student.trainable_variables])]


if __name__ == "__main__":
    run(main, __doc__)
