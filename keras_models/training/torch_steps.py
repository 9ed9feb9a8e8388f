"""Training steps on a PyTorch device, with the same calls as `keras_models.training.device_steps` has for JAX."""

from typing import Any

import keras
import numpy as np

from keras_models.training.device_photos import DevicePhotos
from keras_models.training.device_steps import Form, student_in_form
from keras_models.training.settings import Settings


class TorchSteps:
    """A network under training on Keras' PyTorch device. Arguments and attributes as of `DeviceSteps`."""

    def __init__(self, settings: Settings, form: Form, photos: DevicePhotos) -> None:
        self.form, self._settings, self._photos = form, settings, photos
        self.student, self.averaged = student_in_form(settings, form)

    @property
    def variables(self) -> list:
        """The network's and the optimizer's, of a checkpoint."""
        return [*self.student.network.variables, *self.student.optimizer.variables]

    def take(self) -> None:
        """Nothing to take: the steps change the student's own variables."""

    def give(self) -> None:
        """The average's variables are what the steps made."""
        self.student.average_into(self.averaged)

    def run(self, rate: float, first: int) -> float:
        """Makes `form.steps` steps; waits for the device once. As `DeviceSteps.run`."""
        self.student.optimizer.learning_rate = rate
        losses = [self._step(first + number) for number in range(self.form.steps)]
        return float(sum(losses)) / len(losses)

    def _step(self, step: int) -> Any:
        import torch

        low, high = patches_of(self._photos, self._settings, step)
        variables = self.student.trainable_variables
        loss = self.student.compute_loss(low, high, self.student(low, training=True))
        gradients = torch.autograd.grad(loss, [v.value for v in variables])
        with torch.no_grad():
            self.student.optimizer.apply(gradients, variables)
        return loss.detach()


def patches_of(photos: DevicePhotos, settings: Settings, step: int) -> tuple[Any, Any]:
    """The batch of a step: (batch, patch, patch, 3) and (batch, patch scale, patch scale, 3), float32 in [0, 1].

    Every place of every photo alike, each of the eight ways to turn and mirror it alike.
    """
    rng = np.random.Generator(np.random.Philox(key=np.array([settings.seed, step], np.uint64)))
    batch, share = settings.batch, keras.ops.convert_to_numpy(photos.share)
    index = np.minimum(np.searchsorted(share, rng.random(batch), "right"), len(share) - 1)
    corner = (rng.random((batch, 2)) * keras.ops.convert_to_numpy(photos.places)[index]).astype(np.int64)
    turn = rng.random((batch, 3)) < 0.5
    scale = photos.high.shape[1] // photos.low.shape[1]
    return tuple(_cut(images, index, corner * s, turn, settings.patch * s) for images, s in ((photos.low, 1), (photos.high, scale)))


def _cut(images: Any, index: np.ndarray, corner: np.ndarray, turn: np.ndarray, side: int) -> Any:
    """Cuts and turns all patches by one look-up: which pixel of which photo each of theirs is."""
    import torch

    along = np.arange(side)
    rows, columns = (np.where(turn[:, axis, None], side - 1 - along, along) + corner[:, axis, None] for axis in (0, 1))
    which, rows, columns, swapped = (torch.as_tensor(a, device=images.device) for a in (index, rows, columns, turn[:, 2]))
    cut = images[which[:, None, None], rows[:, :, None], columns[:, None, :]]
    return torch.where(swapped[:, None, None, None], cut.transpose(1, 2), cut).float() / 255
