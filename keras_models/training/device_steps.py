"""Many training steps in one call of a JAX device: nothing goes back and forth between them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_models.training.cpu_gradients import is_plain_depthwise
from keras_models.training.device_photos import DevicePhotos, cut
from keras_models.training.run import build_student, optimizer_for
from keras_models.training.settings import Settings
from keras_models.training.student import Student


@dataclass(frozen=True)
class Form:
    """One way to compute the same step.

    Attributes:
        precision: "float32" or "mixed_bfloat16".
        shifted: depthwise convolutions as sums of shifted pictures, whose gradient some libraries for GPUs compute better.
        steps: in a call.
    """

    precision: str = "float32"
    shifted: bool = False
    steps: int = 1


class DeviceSteps:
    """A network under training on JAX' first device.

    Args:
        settings: what to train; their schedule is not used, since the rate is given with every call.
        form: how the step is computed.
        photos: on the device.

    Attributes:
        form: as given.
        student: the network, whose variables are stale between `take` and `give`.
        averaged: the float32 network that `give` puts the averaged weights into.
    """

    def __init__(self, settings: Settings, form: Form, photos: DevicePhotos) -> None:
        import jax

        self.form, self._settings = form, settings
        self.student, self.averaged = student_in_form(settings, form)
        self._rate = next(i for i, v in enumerate(self.student.optimizer.variables) if v is self.student.optimizer._learning_rate)
        # The photos are an argument: what a compiled function closes over, gigabytes here, becomes a part of its code.
        self._photos = photos
        self._calls = jax.jit(partial(_many, self.student, settings, self._rate), static_argnums=4, donate_argnums=0)
        self.take()

    @property
    def variables(self) -> list:
        """The network's and the optimizer's, of a checkpoint."""
        return [*self.student.network.variables, *self.student.optimizer.variables]

    def take(self) -> None:
        """The state is what the student's variables are."""
        student = self.student
        variables = (student.trainable_variables, student.non_trainable_variables, student.optimizer.variables)
        self._state: Any = tuple([v.value + 0 for v in group] for group in variables)

    def give(self) -> None:
        """The student's variables, and the average's, are what the state is."""
        student = self.student
        groups = (student.trainable_variables, student.non_trainable_variables, student.optimizer.variables)
        for variables, values in zip(groups, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        student.average_into(self.averaged)

    def run(self, rate: float, first: int) -> float:
        """Makes `form.steps` steps.

        Args:
            rate: of learning.
            first: number of the first step, from which with the seed all chance comes.

        Returns:
            The mean loss.
        """
        self._state, loss = self._calls(self._state, self._photos, np.float32(rate), np.int32(first), self.form.steps)
        return float(loss)


def student_in_form(settings: Settings, form: Form) -> tuple[Student, keras.Model]:
    """As `build_student`, ready for its first step in this form, at the settings' rate."""
    student, averaged = build_student(replace(settings, precision=form.precision, schedule="constant", warmup=0, decay=0))
    student.compile(optimizer=optimizer_for(settings, settings.lr))
    student.build((None, None, None, 3))
    student.optimizer.build(student.trainable_variables)
    if form.shifted:
        shift_depthwise(student)
    return student, averaged


def _many(student: Student, settings: Settings, at: int, state: Any, photos: DevicePhotos, rate: Any, first: Any, steps: int) -> tuple:
    import jax
    import jax.numpy as jnp

    def one(state: Any, step: Any) -> tuple:
        low, high = patches_of(photos, settings, step)
        trained, rest, optimizer = state

        def loss(trained: Any) -> tuple:
            output, after = student.stateless_call(trained, rest, low, training=True)
            return student.compute_loss(low, high, output), after

        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
        optimizer = [*optimizer[:at], jnp.asarray(rate, optimizer[at].dtype), *optimizer[at + 1 :]]
        trained, optimizer = student.optimizer.stateless_apply(optimizer, gradients, trained)
        return (list(trained), list(rest), list(optimizer)), value

    state, losses = jax.lax.scan(one, tuple(map(list, state)), first + jnp.arange(steps))
    return state, losses.mean()


def patches_of(photos: DevicePhotos, settings: Settings, step: Any) -> tuple[Any, Any]:
    """The batch of a step, as `cut` gives it."""
    import jax

    return cut(photos, jax.random.fold_in(jax.random.key(settings.seed), step), settings.batch, settings.patch)


def shift_depthwise(student: Student) -> None:
    """Changes how the depthwise convolutions of a student compute, not what; it is for training alone and is not saved."""
    for layer in student.computed._flatten_layers(include_self=False):
        if is_plain_depthwise(layer):
            layer.call = _shifted_call(layer)


def _shifted_call(layer: keras.layers.DepthwiseConv2D) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        ops, dilation = keras.ops, layer.dilation_rate[0]
        kernel = ops.cast(layer.kernel, layer.compute_dtype)
        taps, margin = kernel.shape[0], kernel.shape[0] // 2 * dilation
        height, width = x.shape[1:3]
        padded = ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        parts = (
            padded[:, i * dilation : i * dilation + height, j * dilation : j * dilation + width] * kernel[i, j, :, 0]
            for i in range(taps)
            for j in range(taps)
        )
        y = sum(parts, start=ops.zeros((), x.dtype))
        return y + ops.cast(layer.bias, layer.compute_dtype) if layer.use_bias else y

    return call
