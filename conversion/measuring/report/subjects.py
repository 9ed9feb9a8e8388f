"""The models that a page is about: what each is called and its scale, checked before anything slow begins."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
    subjects = tuple(Subject(model, label, _scale(model)) for model, label in zip(models, labels_of(models)))
    refuse_other_scales({subject.label: subject.scale for subject in subjects})
    return subjects


def labels_of(models: Sequence[str]) -> list[str]:
    """What a page calls its models.

    Raises:
        ModelError: one was given twice.
    """
    short = [ModelSource.of(model).title for model in models]
    labels = [name if short.count(name) == 1 else model for name, model in zip(short, models)]
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise ModelError(f"{twice[0]}: given twice: give each model once")
    return labels


def refuse_other_scales(scales: Mapping[str, int]) -> None:
    """Refuses models of several scales.

    Args:
        scales: by label.

    Raises:
        ModelError: there are several.
    """
    first, *others = scales.items()
    for label, scale in others:
        if scale != first[1]:
            raise ModelError(
                f"{label} is x{scale}, {first[0]} is x{first[1]}: one page compares models of one scale: make a page of each"
            )


def _scale(model: str) -> int:
    return ModelSource.of(model).predictor().scale
