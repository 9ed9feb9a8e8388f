"""Which tensor of an 8-bit .tflite loses how much? Each is held to the same tensor of its float file, alone and cumulated."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.measuring.int8_pairs import Pair, paired
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.names import operation_name, text_of
from conversion.tflite.prefixes import part_of
from conversion.tflite.tensor_values import Quantization, best_quantized, constant_of, quantization_of
from keras_models.system.errors import ModelError, printable

REPORT_VERSION = 1
EXCESS = 3.0
"""A tensor is named if its operation alone is off by so many times what 8 bits of its own range explain: 9.5 dB, a bit and a half."""
COARSE = 4.0
"""A scale is named if rounding to it costs so many times (two bits) what rounding to the best one does, and most of the error."""
_FIXED = ("SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION", "LOG_SOFTMAX")
"""Operations whose result has one scale by the format's rule, whatever its range."""


@dataclass(frozen=True)
class Loss:
    """One tensor of the integer file.

    Attributes:
        number: of the operation that makes it.
        operation: its name.
        tensor: its name; where it has none that of the float file's.
        alone: dB, the float tensor to the error that its operation makes of right inputs, rounded to their own scales; None without error.
        explained: dB, the same of an operation in float with inputs, weights and result of 8 bits.
        cumulated: dB, the same of the whole file up to it.
        excess: how many times what 8 bits explain it is off, alone.
        range: smallest and largest number that it has in float, over the inputs.
        held: smallest and largest number that its integers stand for; None for a float tensor.
        reason: why, where it is off by more than 8 bits explain; else empty.
    """

    number: int
    operation: str
    tensor: str
    alone: float | None
    explained: float | None
    cumulated: float | None
    excess: float
    range: tuple[float, float]
    held: tuple[float, float] | None
    reason: str


@dataclass(frozen=True)
class Int8Bisection:
    """What was found.

    Attributes:
        file: the integer file.
        int8_of: the float one.
        inputs: names of what both were run on.
        losses: of every tensor that both have.
        unpaired: how many tensors of the integer file have none in the float one.
        worst: place in `losses` of the first that is off by more than 8 bits explain; None if there is none.
        version: of this schema.
    """

    file: str
    int8_of: str
    inputs: tuple[str, ...]
    losses: tuple[Loss, ...]
    unpaired: int
    worst: int | None
    version: int = REPORT_VERSION

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        if self.worst is None:
            return ()
        loss = self.losses[self.worst]
        return (f"operation {loss.number}, {loss.operation} ({loss.tensor}): {loss.reason}",)

    def as_json(self) -> dict:
        """JSON-ready."""
        return {**asdict(self), "problems": self.problems}

    def as_text(self) -> str:
        """A table."""
        lines = [f"{self.file}: {len(self.losses)} tensors compared with {self.int8_of}, {self.unpaired} without a pair, on "
                 f"{', '.join(self.inputs)}",
                 f"{'':3} {'operation':22} {'alone':>8} {'explained':>9} {'cumulated':>9}  tensor"]  # fmt: skip
        for loss in self.losses:
            numbers = (loss.alone, loss.explained, loss.cumulated)
            shown = " ".join(f"{'exact' if n is None else format(n, '.1f'):>{width}}" for n, width in zip(numbers, (8, 9, 9)))
            lines.append(f"{loss.number:3} {loss.operation:22} {shown}  {loss.tensor}{': ' + loss.reason if loss.reason else ''}")
        named = self.problems[0] if self.problems else "no tensor is off by more than 8 bits explain"
        return "\n".join(map(printable, [*lines, f"first off   {named}"]))


def bisect_int8(path: str | Path, float_path: str | Path, feeds: Mapping[str, Mapping[int, np.ndarray]], whole: bytes) -> Int8Bisection:
    """Holds every tensor of an integer file to the float file that it was made of.

    Args:
        path: the integer .tflite.
        float_path: the float one, of the same inputs in the same order.
        feeds: what an input is called -> values for the float file's inputs.
        whole: the float file's bytes, at the sizes of the feeds.

    Raises:
        ModelError: it holds no integers, their inputs differ, or no tensor is in both.
    """
    files = _Files.of(Path(path), Path(float_path), feeds, whole)
    losses = [files.loss(pair) for pair in files.pairs]
    first = next((place for place, loss in enumerate(losses) if loss.reason), None)
    return Int8Bisection(str(path), str(float_path), tuple(feeds), tuple(losses), files.unpaired, first)


@dataclass(frozen=True)
class _Files:
    """Both files, and what they make of the inputs: the integer file's numbers as real ones."""

    path: Path
    data8: bytes
    data: bytes
    model8: Any
    model: Any
    pairs: Sequence[Pair]
    unpaired: int
    right: Sequence[dict[int, np.ndarray]]
    run8: Sequence[dict[int, np.ndarray]]

    @classmethod
    def of(cls, path: Path, float_path: Path, feeds: Mapping[str, Mapping[int, np.ndarray]], whole: bytes) -> "_Files":
        from conversion.tflite.check import read_checked

        data8, model8 = read_checked(path)
        model = parse_checked(whole, str(float_path))
        graph8, graph = model8.subgraphs[0], model.subgraphs[0]
        if not any(quantization_of(tensor) for tensor in graph8.tensors):
            raise ModelError(f"{path}: it holds no integers with a scale: give the 8-bit file first and its float file as `int8_of`")
        if [_shape(graph8.tensors[i]) for i in graph8.inputs] != [_shape(graph.tensors[i]) for i in graph.inputs]:
            raise ModelError(f"{path}: its inputs are not those of {float_path}: give the float file that it was made of (`int8_of`)")
        feeds8 = [
            {int(i8): _as_taken(graph8.tensors[i8], feed[int(i)]) for i8, i in zip(graph8.inputs, graph.inputs)} for feed in feeds.values()
        ]
        right = all_tensors(whole, [*feeds.values()], _made(graph) | {int(i) for i in graph.inputs}, float_path)
        run8 = all_tensors(data8, feeds8, _made(graph8) | {int(i) for i in graph8.inputs}, path)
        real8 = [{i: _real(graph8.tensors[i], value) for i, value in run.items()} for run in run8]
        pairs, unpaired = paired(model8, model, real8, right)
        if not pairs:
            raise ModelError(f"{path}: no tensor of it is in {float_path}: give the float file that it was made of (`int8_of`)")
        return cls(path, data8, whole, model8, model, pairs, unpaired, right, run8)

    def loss(self, pair: Pair) -> Loss:
        """What one tensor loses."""
        tensor8, tensor = self.model8.subgraphs[0].tensors[pair.tensor8], self.model.subgraphs[0].tensors[pair.tensor]
        operator = self.model8.subgraphs[0].operators[pair.number]
        name, told = operation_name(self.model8.operatorCodes[operator.opcodeIndex]), quantization_of(tensor8)
        right = np.stack([run[pair.tensor] for run in self.right]).astype(np.float64)
        alone, explained = self._alone(pair), self._explained(pair, name, told)
        cumulated = _rms(np.stack([_real(tensor8, run[pair.tensor8]) for run in self.run8]) - right)
        error, allowed = _rms(alone - right), np.hypot(_rms(explained - right), 1e-6 * _rms(right))
        excess = error / allowed if allowed else 0.0
        if told is not None and name not in _FIXED:
            own, best = _rms(told.real(told.integers(right)) - right), _rms(best_quantized(right) - right)
            excess = max(excess, own / best * EXCESS / COARSE) if best and own > error / 2 else excess
        reason = self._reason(pair, right, told, excess) if excess > EXCESS else ""
        return Loss(
            pair.number, name, text_of(tensor8.name) or text_of(tensor.name), _decibels(right, error), _decibels(right, allowed),
            _decibels(right, cumulated), excess, (float(right.min()), float(right.max())),
            told.ends if told is not None and len(told.scales) == 1 else None, reason,
        )  # fmt: skip

    def _alone(self, pair: Pair) -> np.ndarray:
        """Its operation by itself, on the float file's numbers."""
        graph8 = self.model8.subgraphs[0]
        given = [int(i) for i in graph8.operators[pair.number].inputs if int(i) in self.run8[0]]
        partners = {p.tensor8: p.tensor for p in self.pairs} | {
            int(i8): int(i) for i8, i in zip(graph8.inputs, self.model.subgraphs[0].inputs)
        }
        feeds = [
            {i: _as_taken(graph8.tensors[i], right[partners[i]]) if i in partners else run[i] for i in given}
            for right, run in zip(self.right, self.run8)
        ]
        part = part_of(self.data8, [pair.tensor8], given)
        runs = all_tensors(part, feeds, {pair.tensor8}, self.path)
        return np.stack([_real(graph8.tensors[pair.tensor8], run[pair.tensor8]) for run in runs])

    def _explained(self, pair: Pair, name: str, told: Quantization | None) -> np.ndarray:
        """The same in float, of inputs as the integer file rounds them, weights of 8 bits, and a result of 8 bits of its own range."""
        graph8, graph = self.model8.subgraphs[0], self.model.subgraphs[0]
        partners = {p.tensor8: p.tensor for p in self.pairs} | {int(i8): int(i) for i8, i in zip(graph8.inputs, graph.inputs)}
        given8 = [int(i) for i in graph8.operators[pair.number].inputs if int(i) in partners]
        same = [i for i in given8 if partners[i] == pair.tensor]
        if same:  # QUANTIZE and DEQUANTIZE: one tensor in float
            made = [_rounded(graph8.tensors[same[0]], run[pair.tensor]).astype(np.float64) for run in self.right]
        else:
            part = _with_rounded_weights(
                part_of(self.data, [pair.tensor], [*dict.fromkeys([*(partners[i] for i in given8), *graph.inputs])])
            )
            feeds = []
            for right in self.right:
                rounded = {partners[i]: _rounded(graph8.tensors[i], right[partners[i]]) for i in given8}
                feeds.append({int(i): right[int(i)] for i in graph.inputs} | rounded)
            made = [run[pair.tensor].astype(np.float64) for run in all_tensors(part, feeds, {pair.tensor}, self.path)]
        result = np.stack(made)
        if told is None:
            return result
        return np.asarray(told.real(told.integers(result))) if name in _FIXED else best_quantized(result)

    def _reason(self, pair: Pair, right: np.ndarray, told: Quantization | None, excess: float) -> str:
        """In words: its weights, its scale, or nothing that is known."""
        for index8 in map(int, self.model8.subgraphs[0].operators[pair.number].inputs):
            ratio = _weights_ratio(self.model8, index8, self.model)
            if ratio is not None and not 0.8 < ratio < 1.25:
                return f"its weights {text_of(self.model8.subgraphs[0].tensors[index8].name)} are {ratio:.3g} times the float file's"
        if told is not None and len(told.scales) == 1:
            low, high = told.ends
            cut, step = _rms(right - right.clip(low, high)), float(told.scales[0])
            needed = float(max(right.max(), 0) - min(right.min(), 0)) / (np.iinfo(told.dtype).max - np.iinfo(told.dtype).min)
            if cut > step:
                beyond = float(((right < low) | (right > high)).mean())
                return f"its scale is too small: {beyond:.1%} of its numbers lie beyond {low:.3g} to {high:.3g}"
            if needed and step > 2 * needed:
                return f"its scale is {step / needed:.1f} times what its numbers need"
        return f"off by {excess:.1f} times what 8 bits explain"


def _with_rounded_weights(data: bytes) -> bytes:
    """The file with its constants of two and more dimensions rounded to 8 bits, a channel at a time."""
    model = parse_checked(data, "part")
    graph, channels = model.subgraphs[0], dict[int, int]()
    for operator in graph.operators:
        depthwise = operation_name(model.operatorCodes[operator.opcodeIndex]) == "DEPTHWISE_CONV_2D"
        for index in operator.inputs[1:2]:
            channels[int(index)] = -1 if depthwise else 0
    for index, axis in channels.items():
        value = constant_of(model, graph.tensors[index]) if index >= 0 else None
        if value is not None and value.ndim > 1 and value.dtype == np.float32:
            rounded = best_quantized(value, axis % value.ndim, symmetric=True).astype(np.float32)
            model.buffers[graph.tensors[index].buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)
    return packed(model)


def _weights_ratio(model8: Any, index8: int, model: Any) -> float | None:
    """Of a constant to the constant of the float file that it is like: least squares; None if there is none."""
    if index8 < 0:
        return None
    value = constant_of(model8, model8.subgraphs[0].tensors[index8])
    if value is None or value.ndim < 2:
        return None
    for tensor in model.subgraphs[0].tensors:
        if _shape(tensor) == value.shape:
            other = constant_of(model, tensor)
            if other is not None and other.dtype == np.float32 and np.corrcoef(value.ravel(), other.ravel())[0, 1] > 0.95:
                return float((value * other).sum() / np.square(other.astype(np.float64)).sum())
    return None


def _made(graph: Any) -> set[int]:
    return {int(o) for op in graph.operators for o in op.outputs}


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(map(int, tensor.shape))


def _as_taken(tensor: Any, real: np.ndarray) -> np.ndarray:
    told = quantization_of(tensor)
    return real if told is None else told.integers(real)


def _real(tensor: Any, value: np.ndarray) -> np.ndarray:
    told = quantization_of(tensor)
    return value.astype(np.float64) if told is None else told.real(value)


def _rounded(tensor: Any, real: np.ndarray) -> np.ndarray:
    return _real(tensor, _as_taken(tensor, real)).astype(real.dtype)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean())) if values.size else 0.0


def _decibels(signal: np.ndarray, error: float) -> float | None:
    size = _rms(signal)
    return 20 * float(np.log10(size / error)) if error and size else None
