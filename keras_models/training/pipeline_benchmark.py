"""Does the accelerator wait for data? Patches a second that the pipeline makes, against those that a step eats."""

import statistics
import time
from dataclasses import dataclass

from keras_models.data.patches import Patches
from keras_models.data.photo_set import PhotoSet
from keras_models.training.run import build_student
from keras_models.training.settings import Settings


@dataclass(frozen=True)
class PipelineSpeed:
    """Patches a second, made by one thread and consumed by training steps, and the step's median time in seconds."""

    made: float
    consumed: float
    step_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster patches are made than consumed."""
        return self.made / self.consumed


def measure_pipeline(settings: Settings, photos: PhotoSet, batches: int = 100, steps: int = 20) -> PipelineSpeed:
    """Times the pipeline alone, then training steps alone on one batch that is in memory already.

    Args:
        settings: network, batch, patch and degradation.
        photos: what to cut patches from.
        batches: made by the pipeline.
        steps: measured, after two for warming up.

    Raises:
        TrainingError: as `Patches` and `build_student`.
    """
    patches = Patches(photos, settings.batch, settings.patch, settings.seed, 0, batches, settings.degradation)
    patches.at(0)
    start = time.perf_counter()
    for step in range(batches):
        low, high = patches.at(step)
    made = batches * settings.batch / (time.perf_counter() - start)
    student, _ = build_student(settings)
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        student.train_on_batch(low, high)  # gives the loss back as a number, so the step is finished
        times.append(time.perf_counter() - start)
    step_s = statistics.median(times[2:])
    return PipelineSpeed(made, settings.batch / step_s, step_s)
