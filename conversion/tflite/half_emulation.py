"""Half precision on the CPU: a .tflite whose computed tensors are rounded to half numbers, all of them or one kind at a time.

Sums inside an operation stay float32, as on a GPU that accumulates so. The rounding is two CASTs behind the operation; a value
beyond 65504 becomes infinite, as it would on a GPU.
"""

from collections.abc import Callable, Iterator
from typing import Any

from conversion.tflite.check import packed, parse_checked
from conversion.tflite.names import operation_name, text_of

MOVES = ("CONCATENATION", "DEPTH_TO_SPACE", "RESHAPE", "SLICE", "STRIDED_SLICE", "SPLIT", "TRANSPOSE", "DEQUANTIZE")
"""Operations that only move values: rounding them again changes nothing."""
_NORM = ("SQUARE", "MEAN", "RSQRT", "SQRT", "SUM", "SUB")


def half_kinds(data: bytes) -> dict[str, str]:
    """The kind of every tensor that is rounded.

    Args:
        data: a .tflite with float32 activations.

    Returns:
        tensor name -> kind: the operation that makes it, and for convolutions and products what reads it.
    """
    model = parse_checked(data, "model")
    return {text_of(graph.tensors[tensor].name): kind for graph in model.subgraphs for _, tensor, kind in _rounded(model, graph)}


def round_to_half(data: bytes, chosen: Callable[[str], bool] = lambda kind: True) -> bytes:
    """A file that computes the same with rounded tensors.

    Args:
        data: a .tflite with float32 activations.
        chosen: which kinds are rounded.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parse_checked(data, "model")
    cast = schema.OperatorCodeT()
    cast.builtinCode = cast.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    model.operatorCodes.append(cast)
    for graph in model.subgraphs:
        behind: dict[int, list] = {}
        for operator, tensor, kind in _rounded(model, graph):
            if chosen(kind):
                whole = _new_tensor(graph, tensor, schema.TensorType.FLOAT32)
                half = _new_tensor(graph, tensor, schema.TensorType.FLOAT16)
                operator.outputs = [whole if int(o) == tensor else int(o) for o in operator.outputs]
                behind[id(operator)] = [_cast(model, whole, half), _cast(model, half, tensor)]
        graph.operators = [op for old in graph.operators for op in (old, *behind.get(id(old), ()))]
    return packed(model)


def _rounded(model: Any, graph: Any) -> Iterator[tuple[Any, int, str]]:
    """(operator, its float32 output, kind) of all operators that compute."""
    from ai_edge_litert import schema_py_generated as schema

    name_of = {id(op): operation_name(model.operatorCodes[op.opcodeIndex]) for op in graph.operators}
    maker = {int(o): name_of[id(op)] for op in graph.operators for o in op.outputs}
    for operator in graph.operators:
        name = name_of[id(operator)]
        for tensor in map(int, operator.outputs):
            if name in MOVES or graph.tensors[tensor].type != schema.TensorType.FLOAT32:
                continue
            readers = {name_of[id(op)] for op in graph.operators if tensor in map(int, op.inputs)}
            makers = {maker.get(int(i)) for i in operator.inputs}
            yield operator, tensor, _kind(name, operator, readers, makers, graph)


def _kind(name: str, operator: Any, readers: set[str], makers: set[str | None], graph: Any) -> str:
    if not readers or (name == "MINIMUM" and readers == {"RELU"}):
        return "output"
    if name == "CONV_2D":
        for reader, kind in (("SQUARE", "input of a norm"), ("DEPTHWISE_CONV_2D", "before a depthwise convolution"), ("MUL", "a factor")):
            if reader in readers:
                return f"convolution, {kind}"
        return "convolution"
    if name == "DEPTHWISE_CONV_2D":
        height, width = list(graph.tensors[int(operator.inputs[1])].shape)[1:3]
        dilation = operator.builtinOptions.dilationHFactor
        return f"depthwise {height}x{width}" + (f", dilation {dilation}" if dilation > 1 else "")
    if name in _NORM or (name == "ADD" and readers == {"RSQRT"}):
        return "statistics (mean, variance, root)"
    if name == "MUL":
        return "product" if None not in makers and "RSQRT" not in makers else "normalised values"
    return {"ADD": "sum", "GELU": "activation", "LEAKY_RELU": "activation", "RELU": "activation", "LOGISTIC": "gate"}.get(name, name)


def _new_tensor(graph: Any, like: int, kind: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensor, old = schema.TensorT(), graph.tensors[like]
    tensor.shape, tensor.shapeSignature, tensor.type, tensor.hasRank = old.shape, old.shapeSignature, kind, old.hasRank
    tensor.name = f"{text_of(old.name)}/{len(graph.tensors)}"
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _cast(model: Any, source: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, [source], [target]
    return operator
