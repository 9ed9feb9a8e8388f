"""A foreign network in 8 bits: the TFLite converter's own rounding, fitted to photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conversion.tflite.converter import run_converter


def int8_of(saved: Path, images: Sequence[np.ndarray], recipe: str) -> bytes:
    """The .tflite's bytes.

    Args:
        saved: a SavedModel's folder.
        images: (1, H, W, c) float32 in [0, 1] that ranges are measured on.
        recipe: "int8", every operation an integer one, or "int16x8".

    Raises:
        ConversionError: an operation has no integer form.
    """
    import tensorflow as tf

    def options(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        if recipe == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        else:
            both = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [both, tf.lite.OpsSet.TFLITE_BUILTINS]

    return run_converter(saved, options)
