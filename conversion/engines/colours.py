"""Which values a network takes and gives, measured: a flat colour must come back as that colour, or about.

A file does not say whether white is 1 or 255, and a wrong guess is a wrong picture without an error.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from conversion.engines.values import PLAIN, RANGES, Infer, Said, Values
from keras_models.system.errors import ModelError

TOLERANCE = 0.05
"""Of white: trained networks give a flat colour back to 0.02."""
NOTICED, CLEARLY_OFF = 0.06, 0.25
"""Off by less than the first a network stays what its tensors say; from the second on another range that fits is taken. Between
them a network's own offset could be all there is to it, as any offset vanishes in 0..255: then the user has to say."""
_GREYS = np.repeat(np.array([[0.1], [0.5], [0.9]], np.float32), 3, axis=1)
_COLOURS = np.array([[0.8, 0.2, 0.4], [0.2, 0.6, 0.9]], np.float32)
_STEADY = 0.02  # of an offset, from colour to colour
_MEAN, _DEVIATION = (0.3, 0.6), (0.1, 0.6)
"""Of photos: 0.4 to 0.5, and 0.22 to 0.29 or half of the range."""


@dataclass(frozen=True)
class Colours:
    """What was found.

    Attributes:
        values: those to use.
        error: largest difference of a flat colour that comes back, of white.
        note: what a user should know, "" if nothing.
        wrong: what is wrong with the picture, whatever its values.
    """

    values: Values
    error: float
    note: str = ""
    wrong: str = ""


def measure_colours(name: str, infer: Infer, channels: int, size: tuple[int, int], said: Said, likely: Values = PLAIN) -> Colours:
    """Finds the values with which flat greys and colours come back.

    What is likely stays unless other values make a clear difference. What a user said is taken as said, and only the
    output's values are measured.

    Args:
        name: what an error calls the file.
        infer: the network, on its own values.
        channels: 3, or 1 for a network of brightness.
        size: (H, W) to run at.
        said: by the user.
        likely: what the file's tensors say.

    Raises:
        ModelError: red comes back as blue, and nothing was said of the order; or two ranges may be meant, and nothing was said.
    """
    flats = (_GREYS if channels == 1 else np.concatenate([_GREYS, _COLOURS]))[:, :channels]
    if said.range is not None:
        likely = replace(likely, taken=said.range, given=said.range)
    if said.order is not None and channels == 3:
        likely = replace(likely, swapped_in=said.order == "bgr", swapped_out=said.order == "bgr")

    def error(values: Values) -> float:
        off = [np.abs(_answer(infer, values, flat, size) - flat).max() for flat in flats]
        return float(np.max(off)) if np.isfinite(off).all() else np.inf

    first = Colours(likely, error(likely))
    if first.error <= TOLERANCE:
        return first
    found = [Colours(values, error(values)) for values in _others(likely, said)]
    clear = said.range is not None or first.error >= CLEARLY_OFF
    best = min(found if clear else [c for c in found if "0..255" in (c.values.taken, c.values.given)], key=lambda colours: colours.error)
    if best.error <= min(TOLERANCE, first.error / 2) and (clear or first.error >= NOTICED):
        # An offset that is the same for all colours and like photos' mean was to be subtracted before, or is nothing in a wider range.
        less = None if said.range is not None else _less_a_mean(infer, flats, size, first, error)
        if not clear or (less is not None and less.values.deviation == PLAIN.deviation and _is_mean(less.values.mean)):
            raise ModelError(
                f"{name}: a flat colour comes back {first.error:.2f} of white off in values of {likely.taken}, and {best.error:.2f} in "
                f"{best.values.as_text()}: say `range` {best.values.taken} or `range` {likely.taken}"
            )
        return replace(best, note="" if said.range else _what_was_taken(best.values, first))
    if channels == 3:
        turned = [replace(c.values, swapped_out=not c.values.swapped_out) for c in (first, *found)]
        best = min((Colours(values, error(values)) for values in turned), key=lambda colours: colours.error)
        if best.error <= TOLERANCE:
            if said.order is not None:
                return best
            raise ModelError(
                f"{name}: red comes back as blue: it takes RGB and gives BGR (say `order` rgb), or takes BGR and gives RGB "
                "(say `order` bgr)"
            )
    return _less_a_mean(infer, flats, size, first, error) or replace(first, note=_nothing_fits(first))


def _others(likely: Values, said: Said) -> Iterator[Values]:
    for taken in (said.range,) if said.range is not None else RANGES:
        for given in (taken, *(name for name in RANGES if name != taken)):
            values = replace(likely, taken=taken, given=given)
            if values != likely:
                yield values


def _answer(infer: Infer, values: Values, flat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The colour in the middle of what comes of a flat colour."""
    image = np.broadcast_to(flat, (*size, len(flat)))
    result = values.from_network(infer(np.ascontiguousarray(values.to_network(image), np.float32)))
    middle = tuple(slice(side // 2 - side // 16, side // 2 + side // 16 + 1) for side in result.shape[:2])
    return result[middle].mean(axis=(0, 1))


def _less_a_mean(
    infer: Infer, flats: np.ndarray, size: tuple[int, int], first: Colours, error: Callable[[Values], float]
) -> Colours | None:
    """A network that wants a mean subtracted, and gives full values, adds that mean to every flat colour; one that wants the
    difference divided too makes its contrast smaller by that.
    """
    answers = np.stack([_answer(infer, first.values, flat, size) for flat in flats])
    if not np.isfinite(answers).all():
        return None
    offsets, deviation = answers - flats, np.ones(flats.shape[1])
    if np.ptp(offsets, axis=0).max() > _STEADY:
        centred = flats - flats.mean(axis=0)
        deviation = (centred * answers).sum(axis=0) / np.square(centred).sum(axis=0)
        offsets = answers - deviation * flats
        usual = _is_mean(offsets.mean(axis=0)) and all(_DEVIATION[0] < value < _DEVIATION[1] for value in deviation)
        if np.ptp(offsets, axis=0).max() > _STEADY or not usual:
            return None
    values = replace(first.values, mean=_three(offsets.mean(axis=0)), deviation=_three(deviation))
    found = Colours(values, error(values))
    return replace(found, note=_what_was_taken(values, first)) if found.error <= TOLERANCE else None


def _is_mean(numbers: Iterable[float]) -> bool:
    return all(_MEAN[0] < value < _MEAN[1] for value in numbers)


def _three(numbers: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 3) for value in np.resize(numbers, 3))
    return red, green, blue


def _what_was_taken(values: Values, first: Colours) -> str:
    return (
        f"taken as a network of values {values.as_text()}: as {first.values.as_text()} a flat colour comes back "
        f"{first.error:.2f} of white off: `range` {first.values.taken} keeps to that"
    )


def _nothing_fits(first: Colours) -> str:
    off = f"{first.error:.2f} of white off" if np.isfinite(first.error) else "as no number"
    return (
        f"a flat colour comes back {off}, taken as {first.values.as_text()}: the picture will have wrong colours, unless "
        "`range` or `order` says what the network takes"
    )
