"""One .tflite for one SoC, by LiteRT's compiler plugin."""

from pathlib import Path

from conversion.npu.card import compiled_card
from conversion.npu.context import DISPATCH
from conversion.npu.plugin import TIME_LIMIT_S, apply_plugin
from conversion.npu.socs import Soc
from conversion.tflite.file import read_tflite, with_metadata
from keras_models.system.errors import ConversionError


def compile_tflite(path: Path, soc: Soc, target: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Compiles a file; arguments, result and errors are those of `conversion.npu.compiling.compile_for`."""
    file = read_tflite(path)
    if any(operation.name == DISPATCH for operation in file.operations):
        raise ConversionError(f"{path}: compiled already: give the plain file that it was made of")
    # The compiler keeps the card, and writes the context behind the file by its place: it cannot be put in afterwards.
    source = target.with_name(f"{target.stem}-plain.tflite")
    source.write_bytes(with_metadata(path.read_bytes(), compiled_card(file.card, path, soc)))
    operations = apply_plugin(source, soc, target, path, time_limit_s)
    left = [operation.name for operation in read_tflite(target).operations]
    if left != [DISPATCH]:
        raise ConversionError(f"{path}: the compiled file holds {', '.join(left[:5])}: the compiler left a part to the CPU of {soc.name}")
    return operations
