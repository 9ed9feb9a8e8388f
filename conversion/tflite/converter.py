"""The one exporter: a Keras model or SavedModel of static shape -> a .tflite's bytes.

The converter prints a hundred lines and writes to file descriptors of its own, so both standard streams are put aside
while it works.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_models.system.errors import ConversionError
from keras_models.system.quiet import silenced


def to_tflite(model: keras.Model | Path, half_weights: bool = False) -> bytes:
    """Converts with builtin operations only.

    Args:
        model: input "image" (1, H, W, 3), static; output a dict {"upscaled": (1, sH, sW, 3)}. A path is a SavedModel's folder.
        half_weights: store the weights in half precision; arithmetic stays the engine's choice.

    Raises:
        ConversionError: the converter refuses the model.
    """
    import tensorflow as tf

    def options(converter: tf.lite.TFLiteConverter) -> None:
        if half_weights:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]

    return run_converter(model, options)


def run_converter(model: keras.Model | Path, options: Callable[[Any], None]) -> bytes:
    """One run of the TFLite converter with builtin operations.

    Args:
        model: of static shape; a path is a SavedModel's folder.
        options: sets what the recipe wants on the converter.

    Raises:
        ConversionError: the converter refuses the model.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConversionError(f"conversion runs on Keras' TensorFlow backend, not {keras.backend.backend()}: unset KERAS_BACKEND")
    import tensorflow as tf

    load = tf.lite.TFLiteConverter.from_saved_model if isinstance(model, Path) else tf.lite.TFLiteConverter.from_keras_model
    with silenced(1, 2) as said:
        converter = load(str(model) if isinstance(model, Path) else model)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        options(converter)
        try:
            return converter.convert()
        except Exception as error:  # TensorFlow raises its own, RuntimeError and ValueError alike
            reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else said()[-300:]
            raise ConversionError(f"{model.name}: the TFLite converter refused the model: {reason}") from None
