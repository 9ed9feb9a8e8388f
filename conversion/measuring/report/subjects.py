"""The models that a page is about: what each is called and its scale, checked before anything slow begins."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conversion.source import ModelSource
from keras_models.system.errors import ModelError


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        model: as given.
        label: what the page calls it, unique there.
        scale: upscaling factor.
    """

    model: str
    label: str
    scale: int

    @property
    def converted(self) -> bool:
        """True for a .tflite: it is measured as it is, the recipes need the network that it was made of."""
        return ModelSource.of(self.model).kind == "tflite"


def open_subjects(models: Sequence[str]) -> tuple[Subject, ...]:
    """Opens every model once.

    Args:
        models: presets, .keras files, checkpoints, .tflite or .onnx files.

    Raises:
        MobileSRError: one cannot be read or was given twice, or their scales differ.
    """
    short = [_short_name(model) for model in models]
    labels = [name if short.count(name) == 1 else model for name, model in zip(short, models)]
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise ModelError(f"{twice[0]}: given twice: give each model once")
    subjects = tuple(Subject(model, label, _scale(model)) for model, label in zip(models, labels))
    for subject in subjects[1:]:
        if subject.scale != subjects[0].scale:
            raise ModelError(
                f"{subject.label} is x{subject.scale}, {subjects[0].label} is x{subjects[0].scale}: "
                "one page compares models of one scale: make a page of each"
            )
    return subjects


def _short_name(model: str) -> str:
    source = ModelSource.of(model)
    return source.name if source.preset is not None else source.file_name


def _scale(model: str) -> int:
    return ModelSource.of(model).predictor().scale
