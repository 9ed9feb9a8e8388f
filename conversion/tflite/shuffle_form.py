"""A .tflite for engines without DEPTH_TO_SPACE: TRANSPOSE_CONV with a kernel of zeros and ones moves the same values."""

from typing import Any

import numpy as np

from conversion.tflite.check import parse_checked
from conversion.tflite.flatbuffer_dedup import packed_once
from conversion.tflite.float_triples import KINDS, code_of
from conversion.tflite.names import operation_name, type_name
from keras_models.system.errors import ConversionError

_VERSION = 2  # the first that takes int8


def without_depth_to_space(data: bytes, source: str = "model") -> bytes:
    """The same function, at the file's own size alone: a transposed convolution has the size of its result written in.

    Args:
        data: a .tflite of static size.
        source: what an error calls it.

    Raises:
        ModelError: no whole .tflite.
        ConversionError: there is no DEPTH_TO_SPACE in it, or one of values that are neither float32 nor of 8 bits.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, source)
    graph = model.subgraphs[0]
    shuffles = [op for op in graph.operators if operation_name(model.operatorCodes[op.opcodeIndex]) == "DEPTH_TO_SPACE"]
    if not shuffles:
        raise ConversionError(f"{source}: no DEPTH_TO_SPACE is in it: it is for such engines already")
    code = code_of(model, schema.BuiltinOperator.TRANSPOSE_CONV, _VERSION)
    for operator in shuffles:
        image, result = int(operator.inputs[0]), int(operator.outputs[0])
        kind = type_name(graph.tensors[image].type)
        if kind not in ("float32", *KINDS):
            raise ConversionError(f"{source}: a DEPTH_TO_SPACE of {kind}: only float32 and 8 bits can be written so")
        block, large = int(operator.builtinOptions.blockSize), [int(side) for side in graph.tensors[result].shape]
        size = _constant(model, np.asarray(large, np.int32), schema.TensorType.INT32)
        # (c, y, x, (y * block + x) * channels + c): the place that DEPTH_TO_SPACE takes a value from
        kernel = np.eye(block**2 * large[-1]).reshape(block, block, large[-1], -1).transpose(2, 0, 1, 3)
        dtype, zero = (np.dtype(np.float32), 0) if kind == "float32" else (np.dtype(KINDS[kind]), np.iinfo(KINDS[kind]).min + 128)
        weights = _constant(model, (kernel + zero).astype(dtype), graph.tensors[image].type)
        if kind != "float32":
            told = schema.QuantizationParametersT()
            told.scale, told.zeroPoint = np.ones(1, np.float32), np.asarray([zero], np.int64)
            graph.tensors[weights].quantization = told
        operator.opcodeIndex, operator.inputs = code, [size, weights, image]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.TransposeConvOptions, schema.TransposeConvOptionsT()
        operator.builtinOptions.padding = schema.Padding.VALID
        operator.builtinOptions.strideW = operator.builtinOptions.strideH = block
    return packed_once(model, len(data))


def _constant(model: Any, value: np.ndarray, kind: int) -> int:
    """The place of a new constant tensor."""
    from ai_edge_litert import schema_py_generated as schema

    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    tensor.shape, tensor.type, tensor.name, tensor.hasRank = [*value.shape], kind, "shuffle", True
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1
