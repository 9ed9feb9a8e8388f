"""Norms over the channels of each pixel, in whatever way an exporter writes them, as few operations that phones run as one.

The form aimed at is `d = x - mean(x)`, `d / sqrt(mean(d * d) + epsilon)`, scale, shift, channels first. TensorFlow turns
the division by a root into RSQRT and MUL; with Reciprocal it would keep SQRT, DIV and MUL.
"""

from dataclasses import dataclass, replace

import numpy as np

from conversion.onnx.convs import conv_of, store
from conversion.onnx.graph import OnnxGraph, OnnxNode

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


@dataclass(frozen=True)
class Norm:
    """A norm without its scale and shift.

    Attributes:
        mean: the node that takes the mean, None if the input is centred already.
        centred: the tensor x - mean(x).
        variance: the node that takes the mean of its square.
        shift: the Add of epsilon.
        epsilon: under the root.
        result: the Div.
    """

    mean: OnnxNode | None
    centred: str
    variance: OnnxNode
    shift: OnnxNode
    epsilon: float
    result: OnnxNode


def plain_powers(graph: OnnxGraph) -> int:
    """x^2 is x * x, x^0.5 a root, and a product with a reciprocal a division."""
    count = 0
    for node in list(graph.nodes):
        power = graph.scalar(node.inputs[1]) if node.op == "Pow" else None
        if power == 2:
            node.op, node.inputs = "Mul", [node.inputs[0]] * 2
        elif power == 0.5:
            node.op, node.inputs = "Sqrt", node.inputs[:1]
        elif node.op == "Mul" and (reciprocal := _factor(graph, node, "Reciprocal")) is not None:
            (dividend,) = (name for name in node.inputs if name != reciprocal.output)
            node.op, node.inputs = "Div", [dividend, reciprocal.inputs[0]]
        else:
            continue
        count += 1
    return count


def _factor(graph: OnnxGraph, node: OnnxNode, op: str) -> OnnxNode | None:
    made = (graph.producer(name, op) for name in node.inputs if node.inputs[0] != node.inputs[1])
    return next((maker for maker in made if maker is not None and graph.only_user(maker.output) is node), None)


def lower_layer_norms(graph: OnnxGraph) -> int:
    """Transpose, LayerNormalization over the last axis, Transpose back: a norm in the order the channels had."""
    count = 0
    for node in list(graph.nodes):
        if node.op != "LayerNormalization" or node.attrs.get("axis", -1) not in (-1, 3) or any(map(graph.users, node.outputs[1:])):
            continue
        there, back = graph.producer(node.inputs[0], "Transpose"), graph.only_user(node.output, "Transpose")
        affine = [array for name in node.inputs[1:] if (array := graph.constants.get(name)) is not None and array.ndim == 1]
        if there is None or back is None or not _there_and_back(there, back) or len(affine) != len(node.inputs) - 1:
            continue
        x, epsilon = there.inputs[0], np.float32(node.attrs.get("epsilon", 1e-5))
        centred = graph.add("Sub", [x, _mean(graph, x)])
        variance = graph.add("Add", [_mean(graph, graph.add("Mul", [centred] * 2)), graph.constant(epsilon, "epsilon")])
        result = graph.add("Div", [centred, graph.add("Sqrt", [variance])])
        for op, array in zip(("Mul", "Add"), affine):
            result = graph.add(op, [result, graph.constant(_first(array), op.lower())])
        graph.replace(back.output, result)
        graph.tidy()
        count += 1
    return count


def _there_and_back(there: OnnxNode, back: OnnxNode) -> bool:
    return [list(node.attrs.get("perm", [])) for node in (there, back)] == [TO_LAST, TO_FIRST]


def _mean(graph: OnnxGraph, x: str) -> str:
    attrs = {"keepdims": 1}
    if graph.opset < 18:
        return graph.add("ReduceMean", [x], attrs | {"axes": [1]})
    return graph.add("ReduceMean", [x, graph.constant(np.array([1], np.int64), "axes")], attrs)


def _first(array: np.ndarray) -> np.ndarray:
    """A constant that meets the last of four axes, for one that meets the second."""
    return array if array.size == 1 else np.moveaxis(array.reshape((1,) * (4 - array.ndim) + array.shape), -1, 1)


def channels_first_norms(graph: OnnxGraph) -> int:
    """A norm chain between a Transpose to channels last and one back becomes the same chain in the order the channels had."""
    count = 0
    for there in list(graph.nodes):
        if there.op != "Transpose" or list(there.attrs.get("perm", [])) != TO_LAST:
            continue
        norm = match_norm(graph, there.output, axis=3)
        if norm is None or norm.mean is None:
            continue
        affine, last = [], norm.result
        while (user := graph.only_user(last.output)) is not None and user.op in ("Mul", "Add"):
            name = graph.other_input(user, last.output)
            value = graph.constants.get(name)
            if value is None or value.ndim > 4 or value.size not in (1, *value.shape[-1:]):
                break
            affine.append((user, name, value))
            last = user
        back = graph.only_user(last.output, "Transpose")
        if back is None or not _there_and_back(there, back):
            continue
        for mean in (norm.mean, norm.variance):
            mean.attrs = {"keepdims": 1, **({"axes": [1]} if graph.opset < 18 else {})}
            mean.inputs = mean.inputs[:1] + ([graph.constant(np.array([1], np.int64), "axes")] if graph.opset >= 18 else [])
        for user, name, value in affine:
            user.inputs = [i if i != name else graph.constant(_first(value), user.op.lower()) for i in user.inputs]
        for node in graph.users(there.output):
            node.inputs = [there.inputs[0] if i == there.output else i for i in node.inputs]
        graph.replace(back.output, last.output)
        graph.tidy()
        count += 1
    return count


def match_norm(graph: OnnxGraph, x: str, axis: int = 1) -> Norm | None:
    """The norm over `axis` that is all that reads `x`, in plain powers; None if there is none.

    Args:
        graph: twins merged, so that x - mean(x) stands there once.
        x: its input, centred or not.
        axis: of the channels.
    """
    mean = next((n for n in graph.users(x) if n.op == "ReduceMean" and _axes(graph, n) in ([axis], [axis - 4])), None)
    centred = x
    if mean is not None:
        sub = graph.only_user(mean.output, "Sub")
        if sub is None or sub.inputs != [x, mean.output] or len(graph.users(x)) != 2:
            return None
        centred = sub.output
    square = next((n for n in graph.users(centred) if n.op == "Mul" and n.inputs == [centred] * 2), None)
    variance = graph.only_user(square.output, "ReduceMean") if square is not None and len(graph.users(square.output)) == 1 else None
    if square is None or variance is None or _axes(graph, variance) not in ([axis], [axis - 4]):
        return None
    shift = graph.only_user(variance.output, "Add")
    epsilon = graph.scalar(graph.other_input(shift, variance.output)) if shift is not None else None
    root = graph.only_user(shift.output, "Sqrt") if shift is not None else None
    result = graph.only_user(root.output, "Div") if root is not None else None
    if shift is None or epsilon is None or root is None or result is None:
        return None
    if result.inputs != [centred, root.output] or {id(n) for n in graph.users(centred)} != {id(square), id(result)}:
        return None
    if graph.output in (x, centred):
        return None
    return Norm(mean, centred, variance, shift, epsilon, result)


def _axes(graph: OnnxGraph, node: OnnxNode) -> list[int] | None:
    if not node.attrs.get("keepdims", 1):
        return None
    if len(node.inputs) > 1:
        axes = graph.constants.get(node.inputs[1])
        return None if axes is None else axes.ravel().tolist()
    return list(node.attrs.get("axes", []))


def centre_norms(graph: OnnxGraph) -> int:
    """A dense Conv that only feeds a norm may subtract its mean over output channels; the norm then need not."""
    count = 0
    for node in list(graph.nodes):
        conv = conv_of(graph, node)
        norm = match_norm(graph, node.output) if conv is not None and conv.group == 1 else None
        if conv is None or norm is None or norm.mean is None:
            continue
        weight, bias = conv.weight.astype(np.float64), conv.bias.astype(np.float64)
        store(graph, replace(conv, weight=weight - weight.mean(axis=0), bias=bias - bias.mean()))
        graph.replace(norm.centred, node.output)
        graph.tidy()
        count += 1
    return count
