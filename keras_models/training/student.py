"""The network as Keras' `fit` sees it: its loss on the photos, and on a teacher's output if there is one."""

import contextlib
from typing import Any

import keras
from keras import ops

from keras_models.data.taught_photos import refuse_other_scale
from keras_models.training.cpu_gradients import fast_gelu, use_fast_gradients
from keras_models.training.online_fold import OnlineFold, cheapest_form


class Student(keras.Model):
    """A network under training, with a moving average of its weights kept by the optimizer.

    Args:
        network: maps (N, h, w, 3) float RGB in [0, 1] to (N, s h, s w, 3).
        loss: "l1" or "mse", over all samples; measured in float32.
        teacher: a network of the same scale, never trained; its output is a second target. None without one, or where the
            targets have 6 channels, the last three of them a teacher's (`keras_models.data.taught_photos`).
        teacher_share: share of the teacher in the loss: (1 - share) loss(photo) + share loss(teacher's output).
        fourier: weight of the spectra's difference to the photo's, added.
        parts: a batch in training is computed in so many equal parts (`keras_models.training.cpu_parts`).

    Raises:
        TrainingError: a teacher of another scale.
    """

    def __init__(
        self,
        network: keras.Model,
        loss: str = "l1",
        teacher: keras.Model | None = None,
        teacher_share: float = 0.5,
        fourier: float = 0.0,
        parts: int = 1,
    ) -> None:
        super().__init__(name="student")
        if teacher is not None:
            refuse_other_scale(teacher, network.scale)
        self.network, self.loss_name = network, loss
        self._forward = cheapest_form(network)
        self.teacher, self.teacher_share, self.fourier = teacher, teacher_share, fourier
        self.fast, self.parts = False, parts
        if teacher is not None:
            teacher.trainable = False

    def take_fast_gradients(self) -> None:
        """Computes with the gradients of `keras_models.training.cpu_gradients` from now on."""
        use_fast_gradients(self.computed)
        self.fast = True

    @property
    def computed(self) -> keras.Model:
        """The network whose layers compute a step: the deploy form, where the training form is folded inside every step."""
        return self._forward.deploy if isinstance(self._forward, OnlineFold) else self.network

    def call(self, image: Any, training: bool | None = None) -> Any:
        """The network's output."""
        parts = ops.split(image, self.parts) if training and self.parts > 1 else [image]
        with fast_gelu() if self.fast else contextlib.nullcontext():
            outputs = [self._forward(part, training=training) for part in parts]
        return ops.concatenate(outputs) if len(outputs) > 1 else outputs[0]

    def build(self, input_shape: tuple) -> None:
        """Nothing of its own to build: the network comes built."""
        self.built = True

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True) -> Any:
        """The mean loss of a batch, a float32 scalar."""
        if self.parts == 1:
            return self._loss(x, y, y_pred)
        parts = zip(*(ops.split(tensor, self.parts) for tensor in (x, y, y_pred)), strict=True)
        return ops.mean(ops.stack([self._loss(*part) for part in parts]))

    def _loss(self, x: Any, y: Any, y_pred: Any) -> Any:
        output = ops.cast(y_pred, "float32")
        loss = self._distance(output, y[..., :3])
        spectra = self.fourier * spectral_distance(output, y[..., :3]) if self.fourier else 0.0
        if self.teacher is not None:
            taught = ops.stop_gradient(ops.cast(self.teacher(x, training=False), "float32"))
        elif y.shape[-1] == 6:
            taught = y[..., 3:]
        else:
            return loss + spectra
        return (1 - self.teacher_share) * loss + self.teacher_share * self._distance(output, taught) + spectra

    def averages(self) -> list:
        """The moving averages of the network's variables, in the order of `network.variables`."""
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        index = {id(variable): i for i, variable in enumerate(optimizer._trainable_variables)}
        if int(optimizer.iterations) == 0:  # before the first step the average is still zero
            return list(self.network.variables)
        averages = optimizer._model_variables_moving_average
        return [averages[index[id(v)]] if id(v) in index else v for v in self.network.variables]

    def average_into(self, averaged: keras.Model) -> None:
        """Puts the moving averages into a network of the same variables, which is validated and saved."""
        for target, source in zip(averaged.variables, self.averages(), strict=True):
            target.assign(source)

    def _distance(self, output: Any, target: Any) -> Any:
        difference = output - ops.cast(target, "float32")
        return ops.mean(ops.abs(difference) if self.loss_name == "l1" else ops.square(difference))


def spectral_distance(output: Any, target: Any) -> Any:
    """Mean absolute difference of the two-dimensional Fourier transforms, over real and imaginary parts, a float32 scalar.

    Args:
        output: (N, h, w, 3) float32.
        target: the same.

    The transform is linear, so that of the difference is taken, and not scaled: Cho et al., "Rethinking Coarse-to-Fine Approach in
    Single Image Deblurring", ICCV 2021, equation 3.
    """
    difference = ops.transpose(output - ops.cast(target, "float32"), (0, 3, 1, 2))
    real, imaginary = ops.fft2((difference, ops.zeros_like(difference)))
    return (ops.mean(ops.abs(real)) + ops.mean(ops.abs(imaginary))) / 2
