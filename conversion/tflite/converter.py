"""The one exporter: a Keras model or SavedModel of static shape -> a .tflite's bytes, held to the contract before they are given out.

The converter prints a hundred lines and writes to file descriptors of its own, so both standard streams are put aside
while it works.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from conversion.tflite.file import TFLiteFile
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.errors import ConversionError
from keras_models.system.quiet import silenced

RECIPES = ("float32", "float16")
DEFAULT_TILE = (128, 128)
FORBIDDEN = ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "SHAPE")
"""Operations that show a dimension was not static; the GPU refuses them."""


def to_tflite(model: keras.Model | Path, recipe: str) -> bytes:
    """Converts with builtin operations only.

    Args:
        model: input "image" (1, H, W, 3), static; output a dict {"upscaled": (1, sH, sW, 3)}. A path is a SavedModel's folder.
        recipe: one of `RECIPES`; "float16" stores the weights in half precision, arithmetic stays the engine's choice.

    Raises:
        ConversionError: the converter refuses the model.
    """
    import tensorflow as tf

    def options(converter: tf.lite.TFLiteConverter) -> None:
        if recipe == "float16":
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


def forbidden_operations(file: TFLiteFile) -> list[str]:
    """The names of a file's operations that no .tflite of the contract may hold, sorted, each once."""
    names = {operation.name for operation in file.operations}
    return sorted(n for n in names if n in FORBIDDEN or n.startswith(("CUSTOM", "UNKNOWN")))


def check_contract(file: TFLiteFile, name: str | Path | None = None) -> None:
    """Refuses what the .tflite contract forbids: custom or dynamic-shape operations, rank above 4, a split CPU graph.

    Args:
        file: what was written.
        name: what an error calls it, its path if None.

    Raises:
        ConversionError: it names the surprise.
    """
    bad = forbidden_operations(file)
    rank = max((len(t.shape) for t in file.tensors), default=0)
    partitions = cpu_partitions(file.path)
    name = name or file.path
    if bad:
        raise ConversionError(f"{name}: the converted graph holds {', '.join(bad)}: it would leave the GPU; give a static --tile")
    if rank > 4:
        raise ConversionError(f"{name}: the converted graph holds a tensor of rank {rank}: phone GPUs take 4 at most")
    if partitions != 1:
        raise ConversionError(f"{name}: XNNPACK would run the graph in {partitions} pieces instead of one: report the network")
