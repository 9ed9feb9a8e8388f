"""Every model and bicubic upscaling on the same photos: scores of all of them, pictures of some."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from conversion.measuring.evaluate import Evaluation, evaluate_model, mean_quality, photos_in
from conversion.measuring.report.pictures import Picture, hardest_box, spread, within_budget
from conversion.measuring.report.subjects import Subject
from keras_models.data.bicubic import enlarge
from keras_models.metrics import Quality, measure

BICUBIC, ORIGINAL = "Bicubic", "Original"


@dataclass(frozen=True)
class Comparison:
    """What was measured on one folder.

    Attributes:
        bicubic: name of the photo -> its scores.
        bicubic_mean: their averages.
        evaluations: of each model, in the models' order.
        pictures: the photos that are shown.
    """

    bicubic: dict[str, Quality]
    bicubic_mean: Quality
    evaluations: tuple[Evaluation, ...]
    pictures: tuple[Picture, ...]

    @property
    def names(self) -> list[str]:
        """All photos."""
        return list(self.bicubic)


def compare(subjects: Sequence[Subject], data: str | Path, step: Callable[[], None] = lambda: None) -> Comparison:
    """Upscales a folder's photos with every model.

    Args:
        subjects: models of one scale.
        data: as `evaluate_model` takes it.
        step: called once after each model.

    Raises:
        MobileSRError: no photos, or one that cannot be used.
    """
    scale = subjects[0].scale
    shown = {path.stem for path in spread(photos_in(data))}
    bicubic: dict[str, Quality] = {}
    pictures: dict[str, Picture] = {}

    def see_first(name: str, low: np.ndarray, high: np.ndarray) -> None:
        enlarged = enlarge(low, scale)
        bicubic[name] = measure(enlarged, high, scale)
        if name in shown:
            pictures[name] = Picture(name, high.shape[1], high.shape[0], hardest_box(enlarged, high, scale))
            pictures[name].add(BICUBIC, enlarged)

    def see(index: int, name: str, low: np.ndarray, high: np.ndarray, result: np.ndarray) -> None:
        if index == 0:
            see_first(name, low, high)
        if name in shown:
            pictures[name].add(subjects[index].label, result)
            if index == len(subjects) - 1:
                pictures[name].add(ORIGINAL, high)

    evaluations = []
    for index, subject in enumerate(subjects):
        evaluations.append(evaluate_model(subject.model, data, see=partial(see, index)))
        step()
    return Comparison(bicubic, mean_quality(bicubic.values()), tuple(evaluations), within_budget(list(pictures.values())))
