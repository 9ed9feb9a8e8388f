"""Does a file agree with the model that it was made of? Output by output, whatever libraries call them and however they lay them out."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.gpu.rounding_bound import HALF_STEP, leaving
from conversion.measuring.any_model import AnyModel
from conversion.tflite.made_inputs import Wanted
from keras_models.system.errors import ModelError

INTEGER_ERROR = 0.1
"""What an integer file may be off, of its output's root mean square: 20 dB."""


@dataclass(frozen=True)
class Difference:
    """One output on one input, to another model's.

    Attributes:
        name: of the output.
        other: what the other model calls it.
        input: what both were run on.
        largest: absolute difference; None if one of the two is not finite where the other is.
        allowed: what it may be.
        decibels: signal to difference; None if there is none.
        leaves: it is more than is allowed.
    """

    name: str
    other: str
    input: str
    largest: float | None
    allowed: float
    decibels: float | None
    leaves: bool

    def as_text(self) -> str:
        """One line."""
        off = "not finite alike" if self.largest is None else f"largest difference {self.largest:.2g}, allowed {self.allowed:.2g}"
        return f"{self.name} ({self.other}), {self.input}: {off}{'' if self.decibels is None else f', {self.decibels:.1f} dB'}"

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        return [f"{self.name} on {self.input} differs: {self.as_text()}"] if self.leaves else []


def compared(
    model: AnyModel,
    against: str | Path,
    signature: str | None,
    feeds: Mapping[str, Mapping[int, np.ndarray]],
    made: Mapping[str, Sequence[np.ndarray]],
    moved: Mapping[str, Sequence[Sequence[np.ndarray]]],
    step: float | None,
) -> list[Difference]:
    """Runs another model on the same inputs.

    Args:
        model: the file, opened.
        against: the other model.
        signature: of both, if the other has one of that name.
        feeds: what an input is called -> index -> value.
        made: what the file makes of each.
        moved: what it makes of each with inputs moved by half's rounding, several times.
        step: rounding of the file's numbers, 2**-24 or `HALF_STEP`; None for an integer file.

    Raises:
        ModelError: the other model takes or gives something else.
    """
    differences = []
    with contextlib.ExitStack() as opened:
        other = opened.enter_context(AnyModel(against))
        if signature is not None and signature in other.signatures:
            other = opened.enter_context(AnyModel(against, signature))
        places = _places(model, other)
        for on, feed in feeds.items():
            values = [*feed.values()]
            given = [_laid_out(_real(model.inputs[p], values[p]), want, other.path) for want, p in zip(other.inputs, places)]
            theirs = other.run(given)
            for mine, their in _outputs(model, other, made[on], theirs):
                got = _like(theirs[their], made[on][mine].shape)
                pairs = [run[mine] for run in moved[on]]
                differences.append(_difference(model.outputs[mine], other.outputs[their], on, made[on][mine], pairs, got, step))
    return differences


def _places(model: AnyModel, other: AnyModel) -> list[int]:
    """Of the other model's inputs, the place of the same one in the file: by name, else by order."""
    if len(model.inputs) != len(other.inputs):
        raise ModelError(f"{model.path} takes {len(model.inputs)} inputs, {other.path} takes {len(other.inputs)}: they cannot be compared")
    names = [want.name for want in model.inputs]
    if {want.name for want in other.inputs} == set(names):
        return [names.index(want.name) for want in other.inputs]
    return [*range(len(names))]


def _real(want: Wanted, value: np.ndarray) -> np.ndarray:
    """Real numbers of a quantized input."""
    return ((value.astype(np.float32) - want.zero_point) * np.float32(want.scale)) if want.scale else value


def _laid_out(value: np.ndarray, want: Wanted, path: Path) -> np.ndarray:
    """As the other model takes it: channels first or last, its own type."""
    for shape in (value, *([np.moveaxis(value, -1, 1), np.moveaxis(value, 1, -1)] if value.ndim > 2 else [])):
        if len(want.shape) == shape.ndim and all(d in (-1, side) for d, side in zip(want.shape, shape.shape)):
            if want.scale:
                limits = np.iinfo(want.dtype)
                shape = np.clip(np.round(shape / want.scale) + want.zero_point, limits.min, limits.max)
            return np.ascontiguousarray(shape.astype(want.dtype))
    raise ModelError(f"{path}: its input {want.name} is {list(want.shape)}, not {list(value.shape)}: they cannot be compared")


def _outputs(model: AnyModel, other: AnyModel, mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """(place in the file, place in the other model) of the same outputs: by name, else by order among those of one shape."""
    if len(mine) != len(theirs):
        raise ModelError(f"{model.path} gives {len(mine)} outputs, {other.path} gives {len(theirs)}: they cannot be compared")
    if set(model.outputs) == set(other.outputs):
        return [(place, other.outputs.index(name)) for place, name in enumerate(model.outputs)]
    left, pairs = [*range(len(theirs))], []
    for place, value in enumerate(mine):
        found = next((p for p in left if sorted(theirs[p].shape) == sorted(value.shape)), None)
        if found is None:
            raise ModelError(f"{other.path}: no output of {list(value.shape)} as {model.outputs[place]} is: they cannot be compared")
        left.remove(found)
        pairs.append((place, found))
    return pairs


def _like(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """In the file's layout."""
    if value.shape == shape or value.ndim < 3:
        return value.reshape(shape)
    return next((v for v in (np.moveaxis(value, 1, -1), np.moveaxis(value, -1, 1)) if v.shape == shape), value.reshape(shape))


def _difference(
    name: str, other: str, on: str, mine: np.ndarray, moved: Sequence[np.ndarray], theirs: np.ndarray, step: float | None
) -> Difference:
    if step is None:
        off = float(np.abs(mine.astype(np.float64) - theirs).max(initial=0))
        size = float(np.sqrt(np.square(theirs.astype(np.float64)).mean()))
        return Difference(name, other, on, off, INTEGER_ERROR * size, _decibels(theirs, mine), _rms(mine - theirs) > INTEGER_ERROR * size)
    found = leaving(mine, moved, theirs, exact=step < HALF_STEP)
    finite = bool(np.isfinite(found.ratio) or np.isfinite(found.difference))
    return Difference(name, other, on, found.difference if finite else None, found.allowed, _decibels(theirs, mine), found.ratio > 1)


def _decibels(right: np.ndarray, got: np.ndarray) -> float | None:
    both = np.isfinite(right) & np.isfinite(got)
    size, off = _rms(right[both]), _rms(right[both].astype(np.float64) - got[both])
    return 20 * float(np.log10(size / off)) if size and off else None


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values.astype(np.float64)).mean())) if values.size else 0.0
