"""Do two kernels of an operation agree on all values that it can meet? Tried in a file that holds each operation once, by itself.

An operation of a pixel and a channel alone, on tensors of 8 bits, is a table of 256 entries for one varying input and of 65,536 for
two. TFLite's fixed-point kernels round some entries otherwise than float arithmetic does, by one step, where the true value is next to
the middle between two steps. A factor and an offset for the float result, all but 1 and 0, can bring such entries over; whether they
do, and leave the others, is tried like everything else.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from conversion.tflite.check import packed
from conversion.tflite.float_triples import KINDS, Nudge, rewrite, value_of
from conversion.tflite.left_operations import left_by_xnnpack, opened
from conversion.tflite.names import operation_name, type_name
from keras_models.system.quiet import silenced

# fmt: off
POINTWISE = frozenset({
    "ABS", "ADD", "CEIL", "COS", "DIV", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM",
    "MINIMUM", "MUL", "NEG", "POW", "PRELU", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE",
    "SQUARED_DIFFERENCE", "SUB", "TANH",
})
# fmt: on
"""Operations whose result at a pixel and a channel depends on their inputs there alone."""
_HALVINGS = 60  # by a third each: to the last bits of a float32
_MOST_ENTRIES = 1 << 24
"""Of all tables of a file; a network of dozens of operations has some ten thousand."""


def proven(model: Any, numbers: Sequence[int]) -> dict[int, Nudge]:
    """Which operations XNNPACK takes in float, between DEQUANTIZE and QUANTIZE, with the same numbers.

    Args:
        model: a `ModelT`; its first subgraph is looked at, and not changed.
        numbers: of operations there.

    Returns:
        The number of each that can be rewritten -> the nudge that its float result needs.
    """
    plain = _Alone(model, numbers)
    if not plain.numbers:
        return {}
    try:
        integers = plain.tables(packed(plain.model))
        agreeing = _agreeing(plain, integers, dict.fromkeys(range(len(plain.numbers))))
    except (RuntimeError, ValueError):  # an operation without a float kernel spoils the file for the others
        if len(plain.numbers) == 1:
            return {}
        half = len(plain.numbers) // 2
        return proven(model, plain.numbers[:half]) | proven(model, plain.numbers[half:])
    return {plain.numbers[place]: nudge for place, nudge in agreeing.items()}


def _agreeing(plain: "_Alone", integers: list[np.ndarray], tried: dict[int, Nudge]) -> dict[int, Nudge]:
    """Of the operations, those that agree as they are, or with a nudge."""
    agree, differ = _compare(plain, integers, tried)
    if not differ:
        return agree
    nudges = {place: _nudge_towards(integers[place], values, plain.rounding(place)) for place, values in differ.items()}
    again, _ = _compare(plain, integers, {place: nudge for place, nudge in nudges.items() if nudge is not None})
    return agree | again


def _compare(plain: "_Alone", integers: list[np.ndarray], tried: dict[int, Nudge]) -> tuple[dict[int, Nudge], dict[int, np.ndarray]]:
    """The places that agree, with their nudges, and the float values of those that XNNPACK takes and that do not."""
    if not tried:
        return {}, {}
    model = copy.deepcopy(plain.model)
    places = rewrite(model, {place: tried.get(place) for place in range(len(plain.numbers))})
    data = packed(model)
    left = set(left_by_xnnpack(opened(data)))
    taken = [place for place in tried if not left & set(places[place])]
    tables = plain.tables(data)
    agree = {place: tried[place] for place in taken if np.array_equal(tables[place], integers[place])}
    if len(agree) == len(taken):
        return agree, {}
    graph = model.subgraphs[0]
    graph.outputs = [int(graph.operators[steps[-1]].inputs[0]) for steps in places]  # what is rounded
    graph.operators = [operator for steps in places for operator in (graph.operators[i] for i in steps[:-1])]
    values = plain.tables(packed(model))
    return agree, {place: values[place] for place in taken if place not in agree}


def _nudge_towards(table: np.ndarray, values: np.ndarray, rounding: tuple[float, int]) -> Nudge:
    """The factor and the offset that bring float values to a table's steps with the largest distance from every border; None: there are
    none.

    Args:
        table: 8-bit.
        values: float32, of the same shape.
        rounding: scale and zero point of the table.
    """
    scale, zero = rounding
    limits = np.iinfo(table.dtype)
    steps, levels = table.ravel().astype(np.float64) - zero, values.ravel().astype(np.float64) / scale
    steps, levels = np.unique(np.stack([steps, levels])[:, np.isfinite(levels)], axis=1)
    over, under = steps > limits.min - zero, steps < limits.max - zero  # what is cut off may lie anywhere beyond

    def offsets(factor: float) -> tuple[float, float]:
        """The least and the largest offset that leave every value within half a step of the table's."""
        apart = steps - factor * levels
        return float((apart - 0.5)[over].max(initial=-0.5)), float((apart + 0.5)[under].min(initial=0.5))

    low, high = 0.9, 1.1
    for _ in range(_HALVINGS):  # how much offsets may differ is a concave function of the factor
        third = (high - low) / 3
        narrow = [np.subtract(*offsets(factor)) for factor in (low + third, high - third)]
        low, high = (low, high - third) if narrow[0] < narrow[1] else (low + third, high)
    least, largest = offsets((low + high) / 2)
    return ((low + high) / 2, (least + largest) / 2 * scale) if least < largest else None


class _Alone:
    """Operations of a file, each by itself in one small graph, on all combinations of the values of its inputs.

    Attributes:
        model: a `ModelT` of these operations.
        numbers: of the operations, in the file they come from.
    """

    def __init__(self, model: Any, numbers: Sequence[int]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.numbers: list[int] = []
        self.model, self._graph, self._entries = schema.ModelT(), schema.SubGraphT(), 0
        self.model.version, self.model.subgraphs = 3, [self._graph]
        self.model.operatorCodes, self.model.buffers = [copy.copy(code) for code in model.operatorCodes], [schema.BufferT()]
        for part in ("tensors", "operators", "inputs", "outputs"):
            setattr(self._graph, part, [])
        for number in numbers:
            self._add(model, number)

    def rounding(self, place: int) -> tuple[float, int]:
        """Scale and zero point of an operation's result."""
        quantization = self._graph.tensors[self._graph.outputs[place]].quantization
        return float(quantization.scale[0]), int(quantization.zeroPoint[0])

    def tables(self, data: bytes) -> list[np.ndarray]:
        """What a form of the file gives for all values, an array an operation."""
        interpreter = opened(data)
        for detail in interpreter.get_input_details():
            limits = np.iinfo(detail["dtype"])
            along = [256 if int(detail["name"]) == axis else 1 for axis in range(4)]
            values = np.arange(limits.min, limits.max + 1).astype(detail["dtype"]).reshape(along)
            interpreter.set_tensor(detail["index"], np.ascontiguousarray(np.broadcast_to(values, detail["shape"])))
        with silenced():
            interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

    def _add(self, model: Any, number: int) -> None:
        """Adds an operation, unless it is none that can be tried."""
        from ai_edge_litert import schema_py_generated as schema

        operator, graph = model.subgraphs[0].operators[number], model.subgraphs[0]
        inputs = [] if operator.inputs is None else [int(i) for i in operator.inputs]
        outputs = [] if operator.outputs is None else [int(i) for i in operator.outputs]
        used, name = dict.fromkeys((*inputs, *outputs)), operation_name(model.operatorCodes[operator.opcodeIndex])
        if name not in POINTWISE or len(outputs) != 1 or -1 in used or not all(_plain_8_bits(graph.tensors[i]) for i in used):
            return
        constants = {i: value for i in inputs if (value := value_of(model, i)) is not None}
        varying = [i for i in dict.fromkeys(inputs) if i not in constants]
        widths = {value.shape[-1] if value.ndim else 1 for value in constants.values()} - {1}
        flat = all(value.size == (value.shape[-1] if value.ndim else 1) for value in constants.values())
        shape = [1, 256, 256 if len(varying) == 2 else 1, *(widths or {1})]  # the first input's values along axis 1
        entries = int(np.prod(shape))
        if len(varying) not in (1, 2) or len(widths) > 1 or not flat or self._entries + entries > _MOST_ENTRIES:
            return
        self._entries += entries
        place = {}
        for index in used:
            tensor = copy.copy(graph.tensors[index])
            tensor.name, tensor.shapeSignature, tensor.buffer = "", None, 0
            if index in constants:
                tensor.buffer = len(self.model.buffers)
                buffer = schema.BufferT()
                buffer.data = model.buffers[graph.tensors[index].buffer].data
                self.model.buffers.append(buffer)
            else:
                tensor.shape, tensor.name = shape, str(varying.index(index) + 1) if index in varying else ""
            place[index] = len(self._graph.tensors)
            self._graph.tensors.append(tensor)
        alone = copy.copy(operator)
        alone.inputs, alone.outputs = [place[i] for i in inputs], [place[outputs[0]]]
        self._graph.operators.append(alone)
        self._graph.inputs += [place[i] for i in varying]
        self._graph.outputs += alone.outputs
        self.numbers.append(number)


def _plain_8_bits(tensor: Any) -> bool:
    """Whether a tensor is of 8 bits with one scale."""
    quantization = tensor.quantization
    parts = () if quantization is None else (quantization.scale, quantization.zeroPoint)
    return type_name(tensor.type) in KINDS and len(parts) == 2 and all(part is not None and len(part) == 1 for part in parts)
