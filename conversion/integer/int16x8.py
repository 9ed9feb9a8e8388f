"""16-bit activations with 8-bit weights: the converter's own calibration does, if the weights are rounded well before."""

from collections.abc import Iterator

import numpy as np

from conversion.export import run_converter
from keras_models.graph import Graph, to_keras


def int16x8_tflite(graph: Graph, height: int, width: int, images: np.ndarray) -> bytes:
    """Converts to int16 activations, symmetric, with int8 weights; input and output are float32.

    LiteRT has no 16-bit DEPTH_TO_SPACE: that one operation stays in float.

    Args:
        graph: weights on their int8 grid (`conversion.integer.gptq`), ending in values of [0, 1].
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

    return run_converter(to_keras(graph, height, width), options)
