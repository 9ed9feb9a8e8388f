"""How much memory a .tflite needs for its intermediates: what decides how large a tile may be."""

import functools
from math import prod

import numpy as np

from conversion.tflite.file import Tensor, TFLiteFile


def live_bytes_per_pixel(file: TFLiteFile) -> float:
    """Largest sum of the tensors that must exist at the same time, in bytes a pixel of the input.

    An engine needs more: it aligns, pads and keeps a result of its own (`conversion.upscaling.planning` measured how much).

    Args:
        file: one image [1, H, W, 3] in.
    """
    last_use = {tensor: step for step, operation in enumerate(file.operations) for tensor in operation.inputs}
    last_use |= dict.fromkeys(file.outputs, len(file.operations))
    ends: dict[int, list[int]] = {}
    for tensor, step in last_use.items():
        ends.setdefault(step, []).append(tensor)
    size = functools.cache(lambda index: _bytes(file.tensors[index]))
    live = set(file.inputs)
    now, most = sum(size(index) for index in live), 0
    for step, operation in enumerate(file.operations):
        made = set(operation.outputs) - live
        live |= made
        now += sum(size(index) for index in made)
        most = max(most, now)
        gone = live & {*ends.get(step, ()), *(index for index in operation.outputs if last_use.get(index, -1) <= step)}
        live -= gone
        now -= sum(size(index) for index in gone)
    return most / max(prod(file.tensors[file.inputs[0]].shape[1:3]), 1)


def _bytes(tensor: Tensor) -> int:
    return 0 if tensor.constant else prod(tensor.shape) * np.dtype(tensor.dtype).itemsize
