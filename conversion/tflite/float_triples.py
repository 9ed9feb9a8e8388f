"""Operations of 8-bit tensors, written in float between DEQUANTIZE and QUANTIZE."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from conversion.tflite.names import type_name

KINDS = {"int8": np.int8, "uint8": np.uint8}
_DEQUANTIZE_VERSION = 2  # the first that takes int8

Nudge = tuple[float, float] | None
"""(factor, offset) that the float result is given before it is rounded; None: as it is."""


def rewrite(model: Any, chosen: Mapping[int, Nudge]) -> list[list[int]]:
    """Puts the chosen operations of the first subgraph into float, between DEQUANTIZE and QUANTIZE.

    Args:
        model: a `ModelT`, changed.
        chosen: number of an operation of 8-bit tensors -> how its float result is nudged.

    Returns:
        For each chosen one, in the graph's order, the numbers of the operations that it became.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    dequantize, quantize = code_of(model, kinds.DEQUANTIZE, _DEQUANTIZE_VERSION), code_of(model, kinds.QUANTIZE, 1)
    written: list[Any] = []
    places = []
    for number, operator in enumerate(graph.operators):
        if number not in chosen:
            written.append(operator)
            continue
        first, in_float, result = len(written), {}, int(operator.outputs[0])
        for index in dict.fromkeys(map(int, operator.inputs)):  # one for each operation: a table has no other reader
            value = value_of(model, index)
            in_float[index] = _float_tensor(model, index, value)
            if value is None:
                written.append(_moved(dequantize, [index], in_float[index]))
        operator.inputs, operator.outputs = [in_float[int(i)] for i in operator.inputs], [_float_tensor(model, result, None)]
        written += [operator, *_nudged(model, operator.outputs[0], chosen[number])]
        written.append(_moved(quantize, list(written[-1].outputs), result))
        places.append([*range(first, len(written))])
    graph.operators = written
    return places


def _nudged(model: Any, source: int, nudge: Nudge) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    steps: list[Any] = []
    for kind, value in zip(("Mul", "Add"), nudge or ()):
        other = _float_tensor(model, source, np.float32(value))
        code = code_of(model, getattr(schema.BuiltinOperator, kind.upper()), 1)
        step = _moved(code, [source, other], _float_tensor(model, source, None))
        step.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        step.builtinOptions = getattr(schema, f"{kind}OptionsT")()
        steps.append(step)
        source = step.outputs[0]
    return steps


def _moved(code: int, sources: list[int], target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, sources, [target]
    return operator


def code_of(model: Any, number: int, version: int) -> int:
    """The place of an operator code, which is added where it is missing."""
    from ai_edge_litert import schema_py_generated as schema

    for place, known in enumerate(model.operatorCodes):
        # Files of before 2020 have their number in the older field alone, and 0 in the newer one, which is that of ADD.
        if (max(known.builtinCode, known.deprecatedBuiltinCode), known.version, known.customCode) == (number, version, None):
            return place
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _float_tensor(model: Any, like: int, value: np.ndarray | np.float32 | None) -> int:
    """The place of a new float32 tensor of another's shape, or of a constant's own."""
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    tensor = copy.copy(tensors[like])
    tensor.type, tensor.quantization, tensor.buffer, tensor.name = schema.TensorType.FLOAT32, None, 0, f"float_{len(tensors)}"
    if value is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        tensor.shape, tensor.shapeSignature, tensor.buffer = [*value.shape], None, len(model.buffers)
        model.buffers.append(buffer)
    tensors.append(tensor)
    return len(tensors) - 1


def value_of(model: Any, index: int) -> np.ndarray | None:
    """float32 of an 8-bit constant; None for a tensor that is computed."""
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    steps = np.asarray(data, np.uint8).view(KINDS[type_name(tensor.type)]).astype(np.float32)
    values = (steps - np.float32(tensor.quantization.zeroPoint[0])) * np.float32(tensor.quantization.scale[0])
    return values.reshape(() if tensor.shape is None else [int(side) for side in tensor.shape])
