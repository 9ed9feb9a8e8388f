"""What a compiled file holds: Qualcomm's context binary, cut out of a .tflite and put into an ONNX that the emulation can open."""

from dataclasses import dataclass
from pathlib import Path

from conversion.tflite.check import read_checked
from conversion.tflite.file import DISPATCH
from conversion.tflite.names import operation_name, text_of
from keras_models.system.errors import ModelError


@dataclass(frozen=True)
class Context:
    """A compiled network.

    Attributes:
        binary: for Qualcomm's driver.
        name: of its graph.
        inputs: (name, shape, LiteRT's type) of each.
        outputs: the same.
    """

    binary: bytes
    name: str
    inputs: tuple[tuple[str, tuple[int, ...], int], ...]
    outputs: tuple[tuple[str, tuple[int, ...], int], ...]


def read_context(path: str | Path) -> Context:
    """The context of a compiled .tflite.

    Raises:
        ModelError: not compiled, not wholly for the NPU, or damaged.
    """
    from flatbuffers import flexbuffers

    data, model = read_checked(path)
    graph = model.subgraphs[0]
    names = [operation_name(model.operatorCodes[op.opcodeIndex]) for op in graph.operators]
    if names != [DISPATCH]:
        raise ModelError(f"{path}: not compiled for an NPU: give the plain file, which is compiled first")
    try:
        options = flexbuffers.Loads(bytes(graph.operators[0].customOptions))
        start, size, name = options["bytecode_offset"], options["bytecode_size"], options["name"]
    except Exception as error:  # flexbuffers and what it reads raise whatever they come upon
        raise ModelError(f"{path}: damaged: its operation says nothing of its context: compile it again") from error
    if not 0 < start < start + size <= len(data):
        raise ModelError(f"{path}: damaged or cut off: its context ends at byte {start + size} of {len(data)}: compile it again")
    described = [
        tuple((text_of(t.name), tuple(map(int, t.shape)), int(t.type)) for t in (graph.tensors[int(i)] for i in indices))
        for indices in (graph.operators[0].inputs, graph.operators[0].outputs)
    ]
    return Context(data[start : start + size], str(name), *described)


def write_context_onnx(context: Context, target: Path) -> None:
    """Wraps a context as onnxruntime's QNN provider wants it: one node `EPContext` that holds the binary."""
    import onnx
    from ai_edge_litert.schema_py_generated import TensorType
    from onnx import TensorProto, helper

    types = {
        TensorType.FLOAT32: TensorProto.FLOAT,
        TensorType.INT8: TensorProto.INT8,
        TensorType.UINT8: TensorProto.UINT8,
        TensorType.INT16: TensorProto.INT16,
    }
    ends = [[helper.make_tensor_value_info(name, types[kind], shape) for name, shape, kind in c] for c in (context.inputs, context.outputs)]
    node = helper.make_node(
        "EPContext",
        *([value.name for value in values] for values in ends),
        name=context.name,
        domain="com.microsoft",
        main_context=1,
        embed_mode=1,
        ep_cache_context=context.binary,
        source="QNN",
        partition_name=context.name,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(helper.make_graph([node], "npu", *ends), opset_imports=opsets, ir_version=10), target)
