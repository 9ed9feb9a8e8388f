"""Converts super-resolution networks to TFLite, quantizes, proves, measures and runs them.

The public names stand in `__all__`; they are imported when they are first used, so that `import conversion` costs nothing.
A model argument is a name (of a preset, or of published weights), a path, or a network of `keras_models` in memory.

Example:
    >>> import conversion
    >>> sorted(conversion.RECIPES)
    ['float16', 'float32', 'int16x8', 'int8', 'weight_only_int8']
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conversion.convert_model import Converted, convert, convert_network
    from conversion.engines.whole_image import open_engine
    from conversion.graph.from_keras import graph_of
    from conversion.measuring.evaluate import evaluate_model as evaluate
    from conversion.measuring.inspection import inspect_tflite as inspect
    from conversion.measuring.verify import verify_tflite as verify
    from conversion.onnx.export import export_onnx
    from conversion.quantization.qat.run import quantize as quantize_aware_training
    from conversion.recipes import RECIPES, Recipe
    from conversion.source import ModelSource
    from conversion.upscaling.upscale import upscale, upscale_photo

# onnxruntime asks the network for its maker's server, and writes a database, unless this stands here before it is imported; child
# processes inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_PLACES = {
    "Converted": ("conversion.convert_model", "Converted"),
    "ModelSource": ("conversion.source", "ModelSource"),
    "RECIPES": ("conversion.recipes", "RECIPES"),
    "Recipe": ("conversion.recipes", "Recipe"),
    "convert": ("conversion.convert_model", "convert"),
    "convert_network": ("conversion.convert_model", "convert_network"),
    "evaluate": ("conversion.measuring.evaluate", "evaluate_model"),
    "export_onnx": ("conversion.onnx.export", "export_onnx"),
    "graph_of": ("conversion.graph.from_keras", "graph_of"),
    "inspect": ("conversion.measuring.inspection", "inspect_tflite"),
    "open_engine": ("conversion.engines.whole_image", "open_engine"),
    "quantize_aware_training": ("conversion.quantization.qat.run", "quantize"),
    "upscale": ("conversion.upscaling.upscale", "upscale"),
    "upscale_photo": ("conversion.upscaling.upscale", "upscale_photo"),
    "verify": ("conversion.measuring.verify", "verify_tflite"),
}

__all__ = [
    "RECIPES",
    "Converted",
    "ModelSource",
    "Recipe",
    "convert",
    "convert_network",
    "evaluate",
    "export_onnx",
    "graph_of",
    "inspect",
    "open_engine",
    "quantize_aware_training",
    "upscale",
    "upscale_photo",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
