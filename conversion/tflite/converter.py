"""The one exporter: a Keras model or SavedModel of static shape -> a .tflite's bytes.

The converter prints a hundred lines and writes to file descriptors of its own, so both standard streams are put aside
while it works.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from conversion.tflite.check import packed, parse_checked
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

    with silenced(1, 2) as said:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(model)) if isinstance(model, Path) else _of_frozen_graph(model)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        options(converter)
        try:
            data = converter.convert()
        except Exception as error:  # TensorFlow raises its own, RuntimeError and ValueError alike
            reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else said()[-300:]
            raise ConversionError(f"{model.name}: the TFLite converter refused the model: {reason}") from None
    return data if isinstance(model, Path) else _with_signature(data, model)


def _of_frozen_graph(model: keras.Model) -> Any:
    """A converter of the model's one traced function; through a SavedModel, which traces it five times, it takes three times as long."""
    import tensorflow as tf

    inputs = [tf.TensorSpec(image.shape, image.dtype, name=image.name) for image in model.inputs]

    @tf.function(input_signature=inputs, autograph=False)
    def run(*images: tf.Tensor) -> Any:
        return model(images[0] if len(images) == 1 else list(images), training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], model)
    converter.experimental_lower_to_saved_model = False
    return converter


def _with_signature(data: bytes, model: keras.Model) -> bytes:
    """The file with the signature "serving_default": its inputs and outputs under the model's names."""
    from ai_edge_litert import schema_py_generated as schema

    parsed = parse_checked(data, model.name)
    graph = parsed.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [_named(*pair) for pair in zip([image.name for image in model.inputs], graph.inputs, strict=True)]
    signature.outputs = [_named(*pair) for pair in zip(sorted(model.output), graph.outputs, strict=True)]
    parsed.signatureDefs = [signature]
    return packed(parsed)


def _named(name: str, index: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(index)
    return entry
