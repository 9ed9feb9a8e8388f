"""Convolution kernels of a float .tflite stored in 8 bits: int8 constants, each behind a DEQUANTIZE that runs once.

Arithmetic stays in float: nothing but the rounding of the weights, which `conversion.quantization.gptq` has made small, is lost.
"""

from typing import Any

import numpy as np

from conversion.tflite.check import packed, parse_checked

LEVELS = 127
DEQUANTIZE_VERSION = 5  # the first that knows a scale for each channel
CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Operation -> the axis of its kernel that has a scale for each index."""


def with_int8_weights(data: bytes) -> bytes:
    """Rewrites the kernels; weights that lie on the grid max|channel| / 127 are kept to float32's precision.

    Args:
        data: a float32 .tflite.

    Raises:
        ModelError: not a whole .tflite.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "converted model")
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = DEQUANTIZE_VERSION
    model.operatorCodes.append(code)
    added = []
    for index, axis in _kernels(model).items():
        graph.tensors.append(_small(model, graph.tensors[index], axis))
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [len(graph.tensors) - 1], [index]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.DequantizeOptions, schema.DequantizeOptionsT()
        added.append(operator)
    graph.operators = [*added, *graph.operators]
    return packed(model)


def _kernels(model: Any) -> dict[int, int]:
    """Index of each convolution's kernel -> its channel axis."""
    from ai_edge_litert import schema_py_generated as schema

    axes = {getattr(schema.BuiltinOperator, name): axis for name, axis in CHANNEL_AXIS.items()}
    codes = [code.builtinCode for code in model.operatorCodes]
    convolutions = [op for op in model.subgraphs[0].operators if codes[op.opcodeIndex] in axes]
    return {int(op.inputs[1]): axes[codes[op.opcodeIndex]] for op in convolutions}


def _small(model: Any, tensor: Any, axis: int) -> Any:
    """An int8 tensor of a float one's values, whose buffer is emptied."""
    from ai_edge_litert import schema_py_generated as schema

    held = model.buffers[tensor.buffer]
    kernel = np.asarray(held.data, np.uint8).view(np.float32).reshape([int(v) for v in tensor.shape])
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    scales = np.maximum(np.abs(kernel).max(axis=others, keepdims=True), np.float32(1e-30)) / np.float32(LEVELS)
    small = schema.TensorT()
    small.name, small.type, small.shape, small.buffer = "kernel", schema.TensorType.INT8, tensor.shape, len(model.buffers)
    small.quantization = schema.QuantizationParametersT()
    small.quantization.scale, small.quantization.quantizedDimension = scales.ravel().astype(np.float32), axis
    small.quantization.zeroPoint = np.zeros(scales.size, np.int64)
    buffer = schema.BufferT()
    buffer.data = np.rint(kernel / scales).astype(np.int8).view(np.uint8).ravel()
    model.buffers.append(buffer)
    held.data = None
    return small
