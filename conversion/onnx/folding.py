"""What a graph can be told before any pattern is looked for: constants computed, identities dropped, twins made one.

With the input's shape fixed, everything that exporters compute from shapes (Shape, Gather, Range, Expand ...) is constant.
"""

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from conversion.onnx.graph import OnnxGraph, OnnxNode
from keras_models.system.errors import ConversionError, one_line

LARGEST_CONSTANT = 1 << 24
"""Elements that a computed constant may have; a larger one stays an operation."""


def fold_constants(graph: OnnxGraph) -> int:
    """Operations on constants alone, and shapes of tensors whose shape is known, become constants.

    Raises:
        ConversionError: an operation fails on its constants.
    """
    count = 0
    while True:
        shapes = graph.shapes()  # also sorts the nodes, so that one pass folds whole chains
        before = count
        for node in list(graph.nodes):
            value = _value(graph, node, shapes)
            if value is not None:
                graph.nodes.remove(node)
                graph.constants[node.output] = value
                count += 1
        if count == before:
            return count


def _value(graph: OnnxGraph, node: OnnxNode, shapes: dict[str, tuple[int, ...]]) -> np.ndarray | None:
    if node.op == "Shape" and node.inputs[0] in shapes:
        whole = shapes[node.inputs[0]]
        return np.array(whole[node.attrs.get("start", 0) : node.attrs.get("end", len(whole))], np.int64)
    known = bool(node.inputs) and all(i in graph.constants for i in node.inputs if i)
    if not known or len(node.outputs) != 1 or node.op in ("Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike"):
        return None
    if np.prod(shapes.get(node.output, ()), dtype=float) > LARGEST_CONSTANT:
        return None
    feeds = {name: graph.constants[name] for name in node.inputs if name}
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feeds.items()]
    output = onnx.ValueInfoProto(name=node.output)
    one = helper.make_graph([graph.to_proto(node)], "one", inputs, [output])
    try:
        with np.errstate(all="ignore"):
            model = helper.make_model(one, opset_imports=[helper.make_opsetid("", graph.opset)])
            return np.asarray(ReferenceEvaluator(model).run(None, feeds)[0])
    except Exception as error:  # each operation of the reference raises its own
        reason = one_line(error, 160)
        raise ConversionError(f"{node.op} {node.output!r} cannot be computed from its constants ({reason}): export it again") from None


def drop_identities(graph: OnnxGraph) -> int:
    """Identity, Dropout at inference and a sum of one tensor are their input."""
    count = 0
    for node in list(graph.nodes):
        alone = node.op == "Identity" or (node.op in ("Sum", "Concat", "Max", "Min") and len(node.inputs) == 1)
        dropout = node.op == "Dropout" and not any(graph.users(mask) for mask in node.outputs[1:]) and len(node.inputs) < 3
        whole = node.output == graph.output and node.inputs[0] == graph.input
        if (alone or dropout) and not whole:
            graph.nodes.remove(node)
            graph.replace(node.output, node.inputs[0])
            count += 1
    return count


def merge_twins(graph: OnnxGraph) -> int:
    """Nodes of the same operation, inputs and attributes are one (exporters repeat `x - mean` for each use)."""
    count = 0
    seen: dict[str, OnnxNode] = {}
    graph.tidy()
    for node in list(graph.nodes):
        if len(node.outputs) != 1 or node.op.startswith("Random") or any(isinstance(v, np.ndarray) for v in node.attrs.values()):
            continue
        first = seen.setdefault(repr((node.op, node.inputs, sorted(node.attrs.items()))), node)
        if first is not node:
            graph.nodes.remove(node)
            graph.replace(node.output, first.output)
            count += 1
    return count
