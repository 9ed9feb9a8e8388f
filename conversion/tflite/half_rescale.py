"""Powers of two that keep the intermediates of any float .tflite inside half precision, exact in single.

Every intermediate gets an exponent: it is computed 2**exponent times as large. The constant of an operation takes the exponent up; where
it has none a product by a power of two is put before it. What takes and gives values as they are stands in the way if these leave half.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor, log2
from typing import Any

import numpy as np

from conversion.graph.hardware_limits import HALF_TARGET
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.half_range import HALF_MAX
from conversion.tflite.half_rules import POWERS, SAME, clips, float_constant, kind_of, linear_constant, scaled_inputs
from conversion.tflite.names import operation_name, text_of
from conversion.tflite.prefixes import computed_tensors

CONSTANTS = (2.0**-10, 2.0**15)
"""Largest magnitudes that a constant may get."""
FACTOR = 12
"""Powers of two of one product that is put in: a larger one is put in as several."""
SAFE = (2.0**-8, 4096.0)
"""Largest magnitudes that are left as they are: sixteen times below half's end, and far above where it loses digits."""


@dataclass
class Rescaled:
    """A file of the same function.

    Attributes:
        data: the file; the given one if nothing was to be done.
        exponents: name of a tensor -> power of two that it is larger by, of those that changed.
        products: how many products by a power of two were put in.
        blocked: what stands in the way, in words; empty if nothing does.
    """

    data: bytes
    exponents: dict[str, int] = field(default_factory=dict)
    products: int = 0
    blocked: list[str] = field(default_factory=list)


def rescaled(data: bytes, largest: Mapping[int, float]) -> Rescaled:
    """A file whose intermediates lie in half precision's range.

    Args:
        data: a float .tflite.
        largest: index of a computed tensor -> its largest magnitude.
    """
    model = parse_checked(data, "model")
    plan = _Plan(model, largest)
    for number in range(len(model.subgraphs[0].operators)):
        plan.decide(number)
    plan.finish()
    if plan.blocked or not any(plan.exponent.values()):
        return Rescaled(data, blocked=plan.blocked)
    plan.apply()
    names = {text_of(plan.graph.tensors[t].name): e for t, e in plan.exponent.items() if e}
    return Rescaled(packed(model), names, plan.products)


class _Plan:
    """Exponents in the making: decided in the file's order, written into it at the end."""

    def __init__(self, model: Any, largest: Mapping[int, float]) -> None:
        self.model, self.graph, self.largest = model, model.subgraphs[0], largest
        self.computed = computed_tensors(model)
        self.exponent = dict.fromkeys(self.computed, 0)
        self.maker = {int(o): n for n, op in enumerate(self.graph.operators) for o in op.outputs}
        self.readers: dict[int, list[int]] = {}
        for number, operator in enumerate(self.graph.operators):
            for tensor in operator.inputs:
                self.readers.setdefault(int(tensor), []).append(number)
        self.before: dict[tuple[int, int], int] = {}  # (operation, input's tensor) -> exponent of the product put before it
        self.blocked: list[str] = []
        self.products = 0

    def decide(self, number: int) -> None:
        """Gives an operation's results their exponents."""
        operator = self.graph.operators[number]
        outputs, kind = [int(o) for o in operator.outputs if int(o) in self.largest], kind_of(self.model, operator)
        inputs = scaled_inputs(self.model, operator, self.computed)
        if not outputs or not set(map(int, operator.outputs)) & self.computed:
            for tensor in inputs:
                self._read(number, tensor, 0)
            return
        reach = max(self.largest[o] for o in outputs)
        if kind == "fixed" or not inputs:
            for tensor in inputs:
                self._read(number, tensor, 0, kind == "fixed")
            if reach > HALF_MAX:
                self.blocked.append(f"{self._name(number)}: gives up to {reach:.3g}, and its result cannot be scaled")
            return
        chosen = getattr(self, f"_{kind}")(number, operator, inputs, reach)
        for output in outputs:
            self.exponent[output] = chosen

    def finish(self) -> None:
        """The file's outputs have the values that they had."""
        for place, tensor in enumerate(map(int, self.graph.outputs)):
            if tensor in self.computed and self.exponent[tensor]:
                if self.largest.get(tensor, 0) > HALF_MAX:
                    self.blocked.append(f"output {place} reaches {self.largest[tensor]:.3g}: half precision ends at 65504")
                elif self._free(tensor) and tensor not in self.readers:
                    self.exponent[tensor] = 0
                else:
                    self.before[(-1, tensor)] = 0
        self.blocked = list(dict.fromkeys(self.blocked))

    def _linear(self, number: int, operator: Any, inputs: list[int], reach: float) -> int:
        if clips(operator):
            return 0
        place = linear_constant(self.model, operator)
        assert place is not None
        value = float_constant(self.model, self.graph, int(operator.inputs[place]))
        assert value is not None
        given = sum(self.exponent[tensor] for tensor in inputs)
        size = float(np.abs(value).max(initial=0))
        if operation_name(self.model.operatorCodes[operator.opcodeIndex]) == "DIV":
            return _wanted(reach, 0)
        # The constant itself stays in half's range: what is tiny since it was made so cannot be brought back by it.
        most = floor(log2(CONSTANTS[1] / size)) + given if size else 0
        least = ceil(log2(CONSTANTS[0] / size)) + given if size else 0
        return max(min(_wanted(reach, 0), most), min(least, 0))

    def _same(self, number: int, operator: Any, inputs: list[int], reach: float) -> int:
        have = [self.exponent[tensor] for tensor in inputs]
        chosen = _down(reach, min(have))
        for tensor in inputs:
            self._read(number, tensor, chosen)
        return chosen

    def _product(self, number: int, operator: Any, inputs: list[int], reach: float) -> int:
        divides = operation_name(self.model.operatorCodes[operator.opcodeIndex]) == "DIV"
        if len(inputs) != 2:
            return 0
        first, second = (self.exponent[tensor] for tensor in inputs)
        have = first - second if divides else first + second
        wanted = _down(reach, have)
        if wanted == have:
            return have
        if inputs[0] == inputs[1]:
            self._read(number, inputs[0], ceil(wanted / 2))
            return 2 * ceil(wanted / 2)
        self._read(number, inputs[0], first + wanted - have)
        return wanted

    def _power(self, number: int, operator: Any, inputs: list[int], reach: float) -> int:
        power = POWERS[operation_name(self.model.operatorCodes[operator.opcodeIndex])]
        have = min(self.exponent[tensor] for tensor in inputs)
        wanted = _down(reach, int(power * have))
        step = 2 if power != 2 else 1  # roots take even exponents
        needed = have if wanted == int(power * have) and have % step == 0 else step * round(wanted / power / step)
        if power < 1:  # a root reads large numbers and gives small ones, or the other way round: both have to lie in range
            taken = max(self.largest.get(tensor, 0.0) for tensor in inputs)
            sizes = {n: max(taken * 2.0**n, reach * 2.0 ** (power * n)) for n in range(-40, 42, 2)}
            fits = [n for n in sizes if sizes[n] <= SAFE[1]] or [n for n in sizes if sizes[n] <= HALF_MAX / 2]
            needed = min(fits, key=lambda n: (abs(n - have), abs(n)), default=needed)
        for tensor in inputs:
            self._read(number, tensor, needed)
        return int(power * needed)

    def _read(self, number: int, tensor: int, exponent: int, as_it_is: bool = False) -> None:
        """Has an operation read a tensor at an exponent: its maker's own if that is free, else through a product."""
        reach = self.largest.get(tensor, 0.0)
        if as_it_is and reach > HALF_MAX:
            self.blocked.append(f"{self._name(number)}: takes values up to {reach:.3g} as they are")
        if self.exponent[tensor] == exponent:
            return
        if self._free(tensor) and self.readers[tensor] == [number] and tensor not in map(int, self.graph.outputs):
            self.exponent[tensor] = exponent
        else:
            self.before[(number, tensor)] = exponent

    def _free(self, tensor: int) -> bool:
        """Whether its maker takes up any exponent."""
        maker = self.maker.get(tensor)
        return maker is not None and kind_of(self.model, self.graph.operators[maker]) == "linear" and not clips(self.graph.operators[maker])

    def _name(self, number: int) -> str:
        return f"operation {number}, {operation_name(self.model.operatorCodes[self.graph.operators[number].opcodeIndex])}"

    def apply(self) -> None:
        """Scales constants and puts products in."""
        operators: list[Any] = []
        for number, operator in enumerate(self.graph.operators):
            self._scale_constants(number, operator)
            for tensor in dict.fromkeys(map(int, operator.inputs)):
                if (number, tensor) in self.before:
                    made = self._put_product(operators, tensor, self.before[(number, tensor)] - self.exponent[tensor])
                    operator.inputs = [made if int(i) == tensor else int(i) for i in operator.inputs]
            operators.append(operator)
        for (number, tensor), exponent in self.before.items():
            if number == -1:
                made = self._put_product(operators, tensor, exponent - self.exponent[tensor])
                self._becomes_output(tensor, made)
        self.graph.operators = operators

    def _becomes_output(self, tensor: int, made: int) -> None:
        self.graph.outputs = [made if int(o) == tensor else int(o) for o in self.graph.outputs]
        for signature in self.model.signatureDefs or []:
            for entry in signature.outputs or []:
                entry.tensorIndex = made if entry.tensorIndex == tensor else entry.tensorIndex

    def _scale_constants(self, number: int, operator: Any) -> None:
        made = next((self.exponent[int(o)] for o in operator.outputs if int(o) in self.computed), 0)
        kind = kind_of(self.model, operator)
        name = operation_name(self.model.operatorCodes[operator.opcodeIndex])
        if kind == "linear":
            place = linear_constant(self.model, operator)
            assert place is not None
            given = sum(self.exponent[i] for i in scaled_inputs(self.model, operator, self.computed))
            by = given - made if name == "DIV" and place == 1 else made + given if name == "DIV" else made - given
            self._scale_input(operator, place, by)
            if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and len(operator.inputs) > 2:
                self._scale_input(operator, 2, made)
            if name == "TRANSPOSE_CONV" and len(operator.inputs) > 3:
                self._scale_input(operator, 3, made)
        elif kind == "power" or (kind == "same" and name in SAME and name != "PRELU"):
            made = int(made / POWERS.get(name, 1))
            for place in range(len(operator.inputs)):
                if int(operator.inputs[place]) not in self.computed:
                    self._scale_input(operator, place, made)

    def _scale_input(self, operator: Any, place: int, exponent: int) -> None:
        value = float_constant(self.model, self.graph, int(operator.inputs[place]))
        if exponent and value is not None:
            operator.inputs = [int(i) for i in operator.inputs]
            operator.inputs[place] = self._constant(value * np.float32(2.0**exponent))

    def _put_product(self, operators: list[Any], tensor: int, exponent: int) -> int:
        """A tensor times a power of two, in steps that half numbers have."""
        while exponent:
            step = max(-FACTOR, min(FACTOR, exponent))
            tensor, exponent = self._put_factor(operators, tensor, step), exponent - step
        return tensor

    def _put_factor(self, operators: list[Any], tensor: int, exponent: int) -> int:
        from ai_edge_litert import schema_py_generated as schema

        code, operator, made, old = schema.OperatorCodeT(), schema.OperatorT(), schema.TensorT(), self.graph.tensors[tensor]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
        code.version = 1
        self.model.operatorCodes.append(code)
        made.shape, made.shapeSignature, made.type, made.hasRank = old.shape, old.shapeSignature, old.type, old.hasRank
        made.name = f"{text_of(old.name)}/scaled{len(self.graph.tensors)}"
        factor = self._constant(np.asarray(2.0**exponent, np.float32))
        self.graph.tensors.append(made)
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            len(self.model.operatorCodes) - 1,
            [tensor, factor],
            [len(self.graph.tensors) - 1],
        )
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
        operators.append(operator)
        self.products += 1
        return len(self.graph.tensors) - 1

    def _constant(self, value: np.ndarray) -> int:
        from ai_edge_litert import schema_py_generated as schema

        buffer, tensor = schema.BufferT(), schema.TensorT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value, np.float32).tobytes(), np.uint8)
        tensor.buffer, tensor.shape, tensor.hasRank = len(self.model.buffers), list(value.shape), True
        tensor.name = f"constant{len(self.graph.tensors)}"
        self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _down(reach: float, have: int) -> int:
    """As `_wanted`, where no constant takes the exponent up: what is tiny stays so, and no product is put in for it."""
    return have if reach * 2.0**have < SAFE[0] and have >= 0 else _wanted(reach, have)


def _wanted(reach: float, have: int) -> int:
    """The exponent for values that reach so far: the one they have if it is safe, else the nearest one that is.

    No further than needed: a norm's epsilon, or what is small beside the largest, is scaled along.
    """
    if not reach or not np.isfinite(reach) or SAFE[0] <= reach * 2.0**have <= SAFE[1]:
        return have
    if SAFE[0] <= reach <= SAFE[1]:
        return 0
    return floor(log2(SAFE[1] / reach)) if reach > SAFE[1] else round(log2(HALF_TARGET / reach))
