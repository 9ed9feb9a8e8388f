"""How a power of two passes through each operation of a .tflite: which inputs may be scaled, and what their scales make of the result's."""

from typing import Any

import numpy as np

from conversion.tflite.names import operation_name

LINEAR = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "MUL", "BATCH_MATMUL", "DIV")
"""Operations whose constant takes up any scale of the result; of two computed inputs the scales are multiplied (DIV: divided)."""
SAME = (
    "ADD", "SUB", "CONCATENATION", "MAXIMUM", "MINIMUM", "RELU", "LEAKY_RELU", "ABS", "NEG", "RESHAPE", "TRANSPOSE", "PAD", "PADV2",
    "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "SQUEEZE", "EXPAND_DIMS", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "TILE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "PACK",
    "UNPACK", "GATHER", "REVERSE_V2", "ADD_N", "PRELU", "BROADCAST_TO", "CUMSUM",
)  # fmt: skip
"""Operations that commute with a positive factor: all their inputs and their result have one scale."""
POWERS = {"SQUARE": 2.0, "SQUARED_DIFFERENCE": 2.0, "SQRT": 0.5, "RSQRT": -0.5}
"""Operations that raise the scale of their input, or of both, to a power."""
_UNSCALED = {"PRELU": (1,), "GATHER": (1,), "TILE": (1,)}
"""Places of inputs that are factors or numbers of places, not values."""


def kind_of(model: Any, operator: Any) -> str:
    """What it does to scales: "linear", "product", "same", "power", or "fixed" if it takes and gives values as they are."""
    name = operation_name(model.operatorCodes[operator.opcodeIndex])
    clip = getattr(operator.builtinOptions, "fusedActivationFunction", 0) not in (0, 1)  # ReLU alone commutes with a positive factor
    if name in POWERS:
        return "power"
    if name in SAME:
        return "fixed" if clip else "same"
    if name not in LINEAR:
        return "fixed"
    constant = linear_constant(model, operator)
    if constant is None:
        return "fixed" if clip or len(operator.inputs) > 2 and int(operator.inputs[2]) >= 0 else "product"
    return "linear"


def clips(operator: Any) -> bool:
    """Whether its fused activation fixes the scale of its result."""
    return getattr(operator.builtinOptions, "fusedActivationFunction", 0) not in (0, 1)


def linear_constant(model: Any, operator: Any) -> int | None:
    """Place of the constant factor of a linear operation; None if both are computed."""
    graph = model.subgraphs[0]
    name = operation_name(model.operatorCodes[operator.opcodeIndex])
    places = {"TRANSPOSE_CONV": (1,)}.get(name, (1, 0) if name in ("MUL", "BATCH_MATMUL", "DIV") else (1,))
    for place in places:
        if float_constant(model, graph, int(operator.inputs[place])) is not None:
            return place
    return None


def float_constant(model: Any, graph: Any, index: int) -> np.ndarray | None:
    """The value of a constant of floats, in single precision; through a DEQUANTIZE if it is stored as half numbers."""
    from conversion.tflite.tensor_values import constant_of

    if index < 0:
        return None
    for operator in graph.operators:
        made = operation_name(model.operatorCodes[operator.opcodeIndex]) == "DEQUANTIZE" and index in map(int, operator.outputs)
        if made:
            index = int(operator.inputs[0])
            break
    value = constant_of(model, graph.tensors[index])
    return value.astype(np.float32) if value is not None and value.dtype in (np.float32, np.float16) else None


def scaled_inputs(model: Any, operator: Any, computed: set[int]) -> list[int]:
    """Its computed inputs of floats whose scale counts."""
    from ai_edge_litert import schema_py_generated as schema

    name, graph = operation_name(model.operatorCodes[operator.opcodeIndex]), model.subgraphs[0]
    skipped = _UNSCALED.get(name, ())
    return [
        int(i)
        for place, i in enumerate(operator.inputs)
        if int(i) in computed and place not in skipped and graph.tensors[int(i)].type == schema.TensorType.FLOAT32
    ]
