"""16-bit activations with 8-bit weights: the converter's own calibration does, if the weights are rounded well before.

Ranges are those of photographs and no wider: 16-bit GELU and RSQRT are tables of 513 entries over the range, so that one
made for noise costs 5 dB on photographs (LKDN-S, measured).
"""

from collections.abc import Iterator
from copy import copy

import numpy as np

from conversion.graph.ir import Graph
from conversion.graph.to_keras import to_keras
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.converter import run_converter


def int16x8_tflite(graph: Graph, height: int, width: int, images: np.ndarray) -> bytes:
    """Converts to int16 activations, symmetric, with int8 weights; input and output are float32.

    LiteRT has no 16-bit DEPTH_TO_SPACE: that one operation stays in float, and the clip behind it, which 16-bit kernels ignore.

    Args:
        graph: weights on their int8 grid (`conversion.quantization.gptq`), ending in values of [0, 1].
        height: static input, low-resolution pixels.
        width: static input, low-resolution pixels.
        images: (N, h, w, 3) float32 in [0, 1], cut or repeated to the static size to calibrate on.

    Raises:
        ConversionError: the converter refuses the graph.
    """
    import tensorflow as tf

    def representative() -> Iterator[list[np.ndarray]]:
        for image in images:
            repeats = (-(-height // image.shape[0]), -(-width // image.shape[1]), 1)
            yield [np.tile(image, repeats)[None, :height, :width]]

    def options(converter: tf.lite.TFLiteConverter) -> None:
        both = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [both, tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.representative_dataset = representative

    return _clipped(run_converter(to_keras(graph, height, width), options))


def _clipped(data: bytes) -> bytes:
    """The file with a float clip to [0, 1] behind its output."""
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "converted model")
    graph = model.subgraphs[0]
    index = int(graph.outputs[0])
    result = copy(graph.tensors[index])
    graph.tensors[index].name = "unclipped"
    graph.tensors.append(result)
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = schema.BuiltinOperator.RELU_0_TO_1, 1
    code.deprecatedBuiltinCode = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
    model.operatorCodes.append(code)
    clip = schema.OperatorT()
    clip.opcodeIndex, clip.inputs, clip.outputs = len(model.operatorCodes) - 1, [index], [len(graph.tensors) - 1]
    graph.operators.append(clip)
    graph.outputs = clip.outputs
    for signature in model.signatureDefs:
        for output in signature.outputs:
            output.tensorIndex = clip.outputs[0]
    return packed(model)
