"""One .tflite for one SoC, by LiteRT's compiler plugin."""

from pathlib import Path

from conversion.npu.card import compiled_card
from conversion.npu.context import read_context
from conversion.npu.plugin import TIME_LIMIT_S, apply_plugin
from conversion.npu.socs import Soc
from conversion.tflite.check import read_checked
from conversion.tflite.file import read_tflite, with_metadata
from keras_models.system.errors import ConversionError, ModelError


def compile_tflite(path: Path, soc: Soc, target: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Compiles a file; arguments, result and errors are those of `conversion.npu.compiling.compile_for`."""
    file = read_tflite(path)
    if file.compiled:
        raise ConversionError(f"{path}: compiled already: give the plain file that it was made of")
    if _has_free_size(path):
        raise ConversionError(f"{path}: its image has a free size, and an NPU wants a fixed one: convert it again with `tile`")
    # The compiler keeps the card, and writes the context behind the file by its place: it cannot be put in afterwards.
    source = target.with_name(f"{target.stem}-plain.tflite")
    source.write_bytes(with_metadata(path.read_bytes(), compiled_card(file.card, path, soc, "ai-edge-litert")))
    operations = apply_plugin(source, soc, target, path, time_limit_s)
    try:
        read_context(target)
    except ModelError as error:
        why = str(error).removeprefix(f"{target}: ").removesuffix(": compile it again")
        raise ConversionError(
            f"{path}: what the compiler wrote is not whole ({why}): make room in the folder of temporary files"
        ) from error
    return operations


def _has_free_size(path: Path) -> bool:
    _, model = read_checked(path)
    signatures = [tensor.shapeSignature for graph in model.subgraphs for tensor in graph.tensors]
    return any(signature is not None and min(signature, default=0) < 0 for signature in signatures)
