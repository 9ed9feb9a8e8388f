"""Integers of a quantized tensor and the real numbers that they stand for, both ways."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Quantization:
    """How a tensor's integers stand for real numbers: (integer - zero) * scale.

    Attributes:
        scales: of the tensor, or of each of its channels.
        zeros: the integers that stand for 0, as many.
        axis: of the channels.
        dtype: of the integers.
    """

    scales: np.ndarray
    zeros: np.ndarray
    axis: int
    dtype: np.dtype

    def real(self, integers: np.ndarray) -> np.ndarray:
        """Real numbers of integers, float64."""
        return (integers.astype(np.float64) - self._along(self.zeros, integers.ndim)) * self._along(self.scales, integers.ndim)

    def integers(self, real: np.ndarray) -> np.ndarray:
        """The nearest integers of real numbers, at the ends of the range where they lie beyond."""
        limits = np.iinfo(self.dtype)
        steps = np.round(np.nan_to_num(real) / self._along(self.scales, real.ndim)) + self._along(self.zeros, real.ndim)
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest real number, of one scale."""
        limits = np.iinfo(self.dtype)
        return tuple(float((end - self.zeros[0]) * self.scales[0]) for end in (limits.min, limits.max))  # type: ignore[return-value]

    def _along(self, values: np.ndarray, rank: int) -> np.ndarray:
        return values[0] if len(values) == 1 else values.reshape([-1 if place == self.axis else 1 for place in range(rank)])


def quantization_of(tensor: Any) -> Quantization | None:
    """Of a tensor of the object API; None if its numbers stand for themselves."""
    from conversion.tflite.names import type_name

    told, name = tensor.quantization, type_name(tensor.type)
    if told is None or told.scale is None or not len(told.scale) or name not in ("int8", "uint8", "int16", "int32"):
        return None
    scales = np.asarray(told.scale, np.float64)
    zeros = np.zeros(len(scales)) if told.zeroPoint is None or not len(told.zeroPoint) else np.asarray(told.zeroPoint, np.float64)
    return Quantization(scales, zeros, int(told.quantizedDimension or 0), np.dtype(name))


def constant_of(model: Any, tensor: Any) -> np.ndarray | None:
    """A constant's numbers, of the real ones that its integers stand for if it is quantized; None if the file does not hold them."""
    from conversion.tflite.names import type_name

    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    try:
        array = np.frombuffer(np.asarray(data, np.uint8).tobytes(), type_name(tensor.type)).reshape([int(side) for side in tensor.shape])
    except (TypeError, ValueError):  # a packed or unknown type, or fewer bytes than its shape says
        return None
    told = quantization_of(tensor)
    return array if told is None else told.real(array)


def best_quantized(real: np.ndarray, axis: int | None = None, symmetric: bool = False) -> np.ndarray:
    """Numbers rounded to 8 bits of the range that they have themselves, 0 included; along `axis` each channel by itself."""
    others = None if axis is None else tuple(place for place in range(real.ndim) if place != axis)
    low, high = (np.minimum(real.min(others, keepdims=True), 0), np.maximum(real.max(others, keepdims=True), 0))
    if symmetric:
        high = np.maximum(high, -low)
        low = -high
    step = np.where(high > low, (high - low) / 255, 1.0)
    return np.round(real / step) * step
