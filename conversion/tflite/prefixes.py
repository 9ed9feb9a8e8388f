"""Parts of a .tflite: the operations between some of its tensors and others, unchanged, as a file that runs by itself."""

from collections.abc import Sequence
from typing import Any

from conversion.tflite.check import packed, parse_checked
from conversion.tflite.names import operation_name, text_of

SIGNATURE = "part"
"""The signature of a part: its inputs are named i0, i1 .. and its outputs o0, o1 .. in the order asked for."""


def part_of(data: bytes, outputs: Sequence[int], inputs: Sequence[int] | None = None) -> bytes:
    """The file that computes some tensors of another one: a prefix of it, or what lies between tensors.

    Args:
        data: a .tflite.
        outputs: indices of tensors of its first graph, made by operations; none twice.
        inputs: indices of the tensors that are given instead of computed; None for the inputs of the whole file.

    Returns:
        A file of the operations that lead from the inputs to the outputs, each as it was, with the same indices of tensors. An input that
        nothing reads stays an input of a prefix.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "model")
    graph = model.subgraphs[0]
    graph.operators = _needed(graph, set(map(int, outputs)), set(map(int, graph.inputs if inputs is None else inputs)))
    graph.inputs, graph.outputs = [int(i) for i in (graph.inputs if inputs is None else inputs)], [int(o) for o in outputs]
    for tensor in (graph.tensors[i] for i in (*graph.inputs, *graph.outputs)):
        tensor.isVariable = False
    _distinct_names(graph)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = _named("i", graph.inputs), _named("o", graph.outputs)
    model.signatureDefs, model.metadata = [signature], []
    _drop_unread_buffers(model)
    return packed(model)


def with_copies(data: bytes, tensors: Sequence[int]) -> tuple[bytes, list[int]]:
    """A file in which a RESHAPE to its own shape reads each of these tensors; what they are copied to, in their order.

    LiteRT's GPU engine fuses an operation into the one that reads it and leaves an output between the two unwritten (measured: another
    network's numbers stand there); a tensor that is read twice is kept.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "model")
    graph, code = model.subgraphs[0], schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    copies = []
    for index in tensors:
        old, new, operator = graph.tensors[index], schema.TensorT(), schema.OperatorT()
        new.shape, new.type, new.hasRank, new.name = old.shape, old.type, True, f"copy of {index}"
        new.quantization = old.quantization
        operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, [index], [len(graph.tensors)]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.ReshapeOptions, schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = [int(side) for side in old.shape]
        copies.append(len(graph.tensors))
        graph.tensors.append(new)
        graph.operators.append(operator)
    return packed(model), copies


def operations_of(model: Any) -> list[str]:
    """Names of the operations of a `ModelT`'s first graph, in their order."""
    return [operation_name(model.operatorCodes[op.opcodeIndex]) for op in model.subgraphs[0].operators]


def computed_tensors(model: Any) -> set[int]:
    """Tensors of the first graph that depend on its inputs: neither constants nor made of constants alone."""
    graph = model.subgraphs[0]
    computed = {int(i) for i in graph.inputs}
    for operator in graph.operators:
        if computed & _tensors(operator.inputs):
            computed |= _tensors(operator.outputs)
    return computed


def _needed(graph: Any, wanted: set[int], given: set[int]) -> list:
    kept = []
    for operator in reversed(graph.operators):
        if (_tensors(operator.outputs) - given) & wanted:
            kept.append(operator)
            wanted |= _tensors(operator.inputs)
    return kept[::-1]


def _tensors(listed: Any) -> set[int]:
    return {int(i) for i in (listed if listed is not None else ()) if int(i) >= 0}


def _named(letter: str, tensors: Sequence[int]) -> list:
    from ai_edge_litert import schema_py_generated as schema

    entries = []
    for number, tensor in enumerate(tensors):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = f"{letter}{number}", tensor
        entries.append(entry)
    return entries


def _distinct_names(graph: Any) -> None:
    """Engines tell outputs apart by their names; converters and hands write some twice, or none."""
    seen: set[str] = set()
    for index, tensor in enumerate(graph.tensors):
        name = text_of(tensor.name)
        if not name or name in seen:
            tensor.name = f"{name}#{index}"
        seen.add(name)


def _drop_unread_buffers(model: Any) -> None:
    """Empties the constants that no operation reads any more: a prefix is as large as what it computes."""
    read = {0}
    for number, graph in enumerate(model.subgraphs):
        used = {i for op in graph.operators for i in _tensors(op.inputs) | _tensors(op.outputs)} | _tensors(graph.outputs)
        read |= {t.buffer for i, t in enumerate(graph.tensors) if number or i in used}
    for number, buffer in enumerate(model.buffers):
        if number not in read:
            buffer.data, buffer.offset, buffer.size = None, 0, 0
