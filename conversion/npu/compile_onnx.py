"""One .onnx of a fixed size for one SoC, by onnxruntime with its QNN provider, which is also what runs it on a phone."""

from collections import Counter
from pathlib import Path

import onnx

from conversion.npu.card import card_of, compiled_card, with_card
from conversion.npu.emulator_process import CONTEXT
from conversion.npu.package import npu_package
from conversion.npu.plugin import TIME_LIMIT_S
from conversion.npu.socs import Soc
from conversion.onnx.load import read_onnx
from keras_models.system.errors import ConversionError, MobileSRError
from keras_models.system.processes import Task, call


def compile_onnx(path: Path, soc: Soc, target: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Compiles a file; arguments, result and errors are those of `conversion.npu.compiling.compile_for`."""
    proto = read_onnx(path)
    if any(node.op_type == CONTEXT for node in proto.graph.node):
        raise ConversionError(f"{path}: compiled already: give the plain file that it was made of")
    free = [dim for value in (*proto.graph.input, *proto.graph.output) for dim in value.type.tensor_type.shape.dim if dim.dim_value < 1]
    if free:
        raise ConversionError(f"{path}: its image has a free size, an NPU wants a fixed one: convert with `recipe` w8a16 and `tile`")
    npu_package()
    del proto.metadata_props[:]
    source = target.with_name(f"{target.stem}-plain.onnx")
    onnx.save(proto, source)

    def failed(how: str) -> MobileSRError:
        hint = "" if soc.half else f"; {soc.name} computes integers alone"
        return ConversionError(f"{path}: it cannot be compiled for {soc.name} ({how}){hint}: convert with `recipe` w8a16")

    call(Task("conversion.npu.emulator_process:compile_context", [str(source), str(target), soc.number, soc.arch], time_limit_s, failed))
    made = _read(target, path)
    left = Counter(node.op_type for node in made.graph.node if node.op_type != CONTEXT)
    contexts = sum(node.op_type == CONTEXT for node in made.graph.node)
    if left or contexts != 1:
        names = ", ".join(f"{name} ({count} times)" if count > 1 else name for name, count in left.most_common())
        parts = f"{contexts} piece{'' if contexts == 1 else 's'}"
        pieces = f"in {parts} on the NPU of {soc.name}, left to the CPU: {names or 'nothing'}"
        raise ConversionError(f"{path}: {pieces}: convert the network itself with `recipe` w8a16")
    with_card(target, compiled_card(card_of(path), path, soc, "onnxruntime"))
    return len(proto.graph.node)


def _read(target: Path, path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(target)
    except Exception as error:  # whatever protobuf makes of half a file
        raise ConversionError(f"{path}: what onnxruntime wrote is not whole: make room in the folder of temporary files") from error
