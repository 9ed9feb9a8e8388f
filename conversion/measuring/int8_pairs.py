"""Which tensor of a float .tflite is a tensor of the 8-bit file made of it: the one of its name, else the one of its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conversion.tflite.names import operation_name, text_of

UNLIKE = 0.3
"""Difference, of a tensor's own spread, from which two of one shape are not the same: 10 dB, where 8 bits leave 20 and more."""
_SAMPLES = 4096


@dataclass(frozen=True)
class Pair:
    """A tensor of both files: number of the operation that makes it in the integer file, its index there and in the float file."""

    number: int
    tensor8: int
    tensor: int


def paired(
    model8: Any, model: Any, run8: Sequence[dict[int, np.ndarray]], right: Sequence[dict[int, np.ndarray]]
) -> tuple[list[Pair], int]:
    """Pairs of tensors, in the integer file's order, and how many of its real tensors have none.

    Args:
        model8: the integer file, as the object API gives it.
        model: the float file.
        run8: of each input, index -> real values that the integer file makes.
        right: of each input, index -> values that the float file makes.
    """
    graph8, graph = model8.subgraphs[0], model.subgraphs[0]
    made = [int(o) for op in graph.operators for o in op.outputs if right[0][int(o)].dtype == np.float32]
    names = {text_of(graph.tensors[i].name): i for i in (*made, *map(int, graph.inputs))}
    pairs, unpaired = list[Pair](), 0
    partners = {int(i8): int(i) for i8, i in zip(graph8.inputs, graph.inputs)}
    for number, operator in enumerate(graph8.operators):
        for tensor8 in map(int, operator.outputs):
            if tensor8 not in run8[0] or not run8[0][tensor8].size:
                continue
            changes = operation_name(model8.operatorCodes[operator.opcodeIndex]) in ("QUANTIZE", "DEQUANTIZE")
            found = partners.get(int(operator.inputs[0])) if changes else None
            found = _named(graph8.tensors[tensor8], names, run8[0][tensor8].shape, right[0]) if found is None else found
            found = _like(tensor8, made, run8, right) if found is None else found
            if found is None:
                unpaired += 1
            else:
                partners[tensor8] = found
                pairs.append(Pair(number, tensor8, found))
    return pairs, unpaired


def _named(tensor: Any, names: dict[str, int], shape: tuple[int, ...], right: dict[int, np.ndarray]) -> int | None:
    """The tensor of that name and shape."""
    found = names.get(text_of(tensor.name)) if text_of(tensor.name) else None
    return found if found is not None and right[found].shape == shape else None


def _like(tensor8: int, made: Sequence[int], run8: Sequence[dict[int, np.ndarray]], right: Sequence[dict[int, np.ndarray]]) -> int | None:
    """The tensor whose values it has, up to 8 bits: the nearest of that shape."""
    values8 = _sampled(run8, tensor8)
    shape = run8[0][tensor8].shape
    off = {index: _unlike(_sampled(right, index), values8) for index in made if right[0][index].shape == shape}
    best = min(off, key=off.__getitem__, default=None)
    return best if best is not None and off[best] < UNLIKE else None


def _unlike(values: np.ndarray, others: np.ndarray) -> float:
    spread = float(values.std())
    return float(np.sqrt(np.square(values - others).mean())) / spread if spread else np.inf


def _sampled(runs: Sequence[dict[int, np.ndarray]], index: int) -> np.ndarray:
    """Some of its values on all inputs."""
    values = np.concatenate([run[index].astype(np.float64).ravel() for run in runs])
    return np.asarray(values[:: max(1, values.size // _SAMPLES)])
