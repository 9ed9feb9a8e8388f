"""Does a result differ by more than rounding explains? Held to what rounding the inputs does to the same result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from conversion.gpu.verify import ROUNDINGS, SINGLE_TOLERANCE

HALF_STEP = 2.0**-11
"""Rounding to half numbers moves a value by so much of itself at most; single precision has 13 bits more."""


@dataclass(frozen=True)
class Leaving:
    """How far a result is off.

    Attributes:
        difference: largest absolute one; infinite if it is not finite where it should be.
        allowed: what rounding explains of that.
        ratio: difference to allowed, of the largest or of the root of the mean square, whichever is larger; above 1 it has left.
    """

    difference: float
    allowed: float
    ratio: float


def leaving(right: np.ndarray, moved: Sequence[np.ndarray], got: np.ndarray, exact: bool) -> Leaving:
    """Compares a result with the right one.

    Args:
        right: the CPU's, in single precision.
        moved: the CPU's of inputs each of which moved by `HALF_STEP` of itself, up or down by chance, several times.
        got: what is judged, of the same shape.
        exact: it was computed in single precision, not in half.

    What the arithmetic of some dozens of operations may do is `ROUNDINGS` times what rounding the inputs does, or what rounding this
    result itself does where the inputs' rounding dies away. Where the right result is not finite nothing is asked.
    """
    known = np.isfinite(right) & np.all([np.isfinite(m) for m in moved], axis=0)
    changes = [m[known].astype(np.float64) - right[known] for m in moved]
    bounds = [_bound(right[known], changes, exact, size) for size in (_largest, _typical)]
    if not np.isfinite(got[np.isfinite(right)]).all():
        return Leaving(np.inf, bounds[0], np.inf)
    off = got[known].astype(np.float64) - right[known]
    return Leaving(_largest(off), bounds[0], max(_times(_largest(off), bounds[0]), _times(_typical(off), bounds[1])))


def _bound(right: np.ndarray, changes: Sequence[np.ndarray], exact: bool, size: Callable[[np.ndarray], float]) -> float:
    change, scale = max(map(size, changes), default=0.0), size(right)
    if exact:
        return max(SINGLE_TOLERANCE * scale, ROUNDINGS * change * 2.0**-13)
    return ROUNDINGS * max(change, HALF_STEP * scale)


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0))


def _typical(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values.astype(np.float64)).mean())) if values.size else 0.0


def _times(difference: float, allowed: float) -> float:
    return difference / allowed if allowed else (0.0 if difference <= 2.0**-14 else np.inf)
