"""Why an operation's result in half precision leaves the one in single: told from its inputs and result, where it is known."""

from collections.abc import Sequence

import numpy as np

from conversion.tflite.half_range import HALF_MAX

SMALLEST_NORMAL = 2.0**-14
"""Half numbers below it lose digits, or are zero where a device flushes them."""
LONG = 512
"""So many numbers added up in half precision lose digits: every second one of ones is lost beyond 2048."""
_CLOSE = 2.0**-5
_SUMS = ("MEAN", "SUM", "AVERAGE_POOL_2D", "CUMSUM")
_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV")
_DIVIDES = ("DIV", "RSQRT", "FLOOR_DIV", "FLOOR_MOD", "L2_NORMALIZATION")


def reason_of(name: str, inputs: Sequence[np.ndarray], result: np.ndarray, half: np.ndarray) -> str:
    """The reason in words.

    Args:
        name: of the operation: "CONV_2D".
        inputs: its inputs that are computed, then its constants, in single precision, numbers alone.
        result: in single precision.
        half: what half precision makes of it.
    """
    numbers = [np.abs(i[np.isfinite(i)].astype(np.float64)) for i in inputs if i.dtype.kind == "f" and i.size]
    largest = float(np.abs(result[np.isfinite(result)]).max(initial=0))
    if largest > HALF_MAX or not np.isfinite(half[np.isfinite(result)]).all():  # a device may end at 65504 instead of infinity
        return _not_finite(name, numbers, result, largest)
    if 0 < largest < SMALLEST_NORMAL:
        return f"subnormal: its results end at {largest:.2g}; below {SMALLEST_NORMAL:.2g} half precision loses digits, and then all"
    return _wrong(name, numbers, result, largest)


def _not_finite(name: str, numbers: Sequence[np.ndarray], result: np.ndarray, largest: float) -> str:
    if largest > HALF_MAX:
        kind = "exp" if name == "EXP" else "overflow of a sum" if name in (*_SUMS, *_PRODUCTS, "ADD", "SUB") else "overflow"
        return f"{kind}: its results reach {largest:.3g}, half precision ends at 65504"
    if name in _DIVIDES and _underflows(numbers[-1:]):
        zero = "0/0" if name == "DIV" and _underflows(numbers[:1]) else "division by zero"
        return f"{zero}: it divides by numbers down to {_least(numbers[-1:]):.2g}, which half precision makes zero"
    if name == "LOG" and _underflows(numbers):
        return f"log of zero: its inputs go down to {_least(numbers):.2g}, which half precision makes zero"
    reach = max((n.max(initial=0) for n in numbers), default=0.0)
    if reach > HALF_MAX:
        return f"overflow of an input: it reads numbers up to {reach:.3g}, half precision ends at 65504"
    if name in (*_SUMS, *_PRODUCTS, "SOFTMAX", "LOGISTIC", "TANH", "GELU", "POW") and numbers:
        inside = "exp" if name in ("SOFTMAX", "LOGISTIC", "TANH", "GELU") else "overflow of a sum"
        return f"{inside}: a value inside of it leaves half precision, of inputs up to {reach:.3g}"
    return "not finite in half precision"


def _wrong(name: str, numbers: Sequence[np.ndarray], result: np.ndarray, largest: float) -> str:
    reach = max((n.max(initial=0) for n in numbers), default=0.0)
    if name in _DIVIDES and _least(numbers[-1:]) < SMALLEST_NORMAL:
        return f"division: it divides by numbers down to {_least(numbers[-1:]):.2g}, of which half precision has few digits or none"
    if name in ("LOG", "SQRT") and _least(numbers) < SMALLEST_NORMAL:
        return f"subnormal: its inputs go down to {_least(numbers):.2g}, of which half precision has few digits or none"
    if name in ("EXP", "POW", "SIN", "COS", "SOFTMAX") and reach > 8:
        return f"{'exp' if name == 'SOFTMAX' else name.lower()}: of inputs up to {reach:.3g}, whose rounding it multiplies"
    if name in _SUMS and numbers and numbers[0].size >= LONG * max(result.size, 1):
        kind = "long mean" if name in ("MEAN", "AVERAGE_POOL_2D") else "long sum"
        return f"{kind}: {numbers[0].size // max(result.size, 1)} numbers are added up, whose later ones half precision rounds away"
    if name in ("ADD", "SUB", "SQUARED_DIFFERENCE", *_SUMS, *_PRODUCTS) and largest < _CLOSE * reach:
        return f"cancellation: of inputs up to {reach:.3g} at most {largest:.2g} is left, less than their rounding explains away"
    if name in ("FLOOR", "ROUND", "CEIL", "CAST", "FLOOR_MOD", "FLOOR_DIV") and reach > 2048:
        return f"integers beyond 2048: its inputs reach {reach:.3g}, where half precision knows every second one at most"
    return "not known: its result differs by more than rounding explains"


def _least(numbers: Sequence[np.ndarray]) -> float:
    """The smallest magnitude that is not zero."""
    return min((float(n[n > 0].min()) for n in numbers if (n > 0).any()), default=0.0)


def _underflows(numbers: Sequence[np.ndarray]) -> bool:
    return any(((n > 0) & (n < SMALLEST_NORMAL)).any() for n in numbers)
