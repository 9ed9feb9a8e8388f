"""A batch in parts, one for each core, gives what the whole batch gives."""

import subprocess
import sys

import numpy as np
import pytest
from support.networks import randomise

from keras_models.lkdn import LKDN
from keras_models.system.threads import cores
from keras_models.training.cpu_parts import largest_part_count
from keras_models.training.student import Student

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("machine", range(1, 18))
def test_part_count(machine):
    for batch in range(1, 40):
        parts = largest_part_count(batch, machine)
        assert parts <= machine
        assert batch % parts == 0
        assert all(batch % more for more in range(parts + 1, min(machine, batch) + 1))


def test_output_and_gradients(rng):
    """Of the training form, folded inside every step; the control: images of another batch."""
    network = randomise(LKDN(scale=2, features=6, attention_channels=6, blocks=1))
    images, targets = rng.random((4, 9, 8, 3), np.float32), rng.random((4, 18, 16, 3), np.float32)

    def results(parts, images):
        student = Student(network, parts=parts)

        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                output = student(x, training=True)
                loss = student.compute_loss(x, y, output)
            return output, *tape.gradient(loss, [v.value for v in network.trainable_variables])

        return [t.numpy() for t in step(images, targets)]

    def worst(ours, theirs):
        return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))

    whole = results(1, images)
    assert worst(results(2, images), whole) <= 1e-5
    assert worst(results(4, images), whole) <= 1e-5
    assert worst(results(2, images[:, ::-1].copy()), whole) > 1e-3


def test_only_before_tensorflow_computes():
    """The parts that a process computes are those that it could still ask for."""
    program = (
        "import keras, keras_models.training.cpu_parts as p\n"
        "early = [p.parts_of(8)]\n"
        "p.split_over_cores(8)\n"
        "early += [p.parts_of(8), p.parts_of(7)]\n"
        "keras.ops.ones(3) + 1\n"
        "p.split_over_cores(1)\n"
        "print(*early, p.parts_of(8))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    parts = largest_part_count(8, cores())
    assert done.stdout.split() == [str(n) for n in (1, parts, 1, parts)]
