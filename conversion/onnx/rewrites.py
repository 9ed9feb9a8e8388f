"""The rewrites of a foreign ONNX graph, in their order, run until none finds anything; none of them looks at a name.

Each takes an `OnnxGraph` of static shape, changes it where its precondition holds exactly, and gives the number of places.
"""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np

from conversion.graph.hardware_limits import MAX_CONCATENATION
from conversion.onnx.border_bias import fold_rings
from conversion.onnx.folding import drop_identities, fold_constants, merge_twins
from conversion.onnx.graph import OnnxGraph
from conversion.onnx.lowering import cancel_transposes, lower_group_norms, name_group_norms, plain_norms, plain_sigmoids
from conversion.onnx.norms import centre_norms, channels_first_norms, lower_layer_norms, plain_powers
from conversion.onnx.parallel_convs import merge_parallel, merge_pointwise, merge_repeated_inputs
from conversion.onnx.resizes import lower_paddings, lower_resizes
from conversion.onnx.shuffles import name_shuffles, name_unshuffles, reorder_shuffles

MAX_ROUNDS = 50


def rewrite(graph: OnnxGraph) -> dict[str, int]:
    """Runs all rewrites to a fixed point, then ends the graph with a clip to [0, 1], as the .tflite contract wants.

    Returns:
        Name of the rewrite -> in how many places it acted.

    Raises:
        ConversionError: a shape or a constant cannot be computed.
    """
    counts: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):
        found = {function.__name__: function(graph) for function in REWRITES}
        counts.update({name: n for name, n in found.items() if n})
        if not any(found.values()):
            break
    clip_output(graph)
    graph.tidy()
    return dict(counts)


def fuse_gelus(graph: OnnxGraph) -> int:
    """A product x * (1 + erf(x / sqrt 2)) / 2, the factors in any order, is Gelu(x); a factor other than 1/2 stays as a Mul."""
    count = 0
    for erf in [node for node in graph.nodes if node.op == "Erf"]:
        inner = graph.producer(erf.inputs[0])
        x = _divided_by_root_two(graph, inner.inputs, inner.op) if inner is not None else None
        plus = graph.only_user(erf.output, "Add")
        if x is None or plus is None or graph.scalar(graph.other_input(plus, erf.output)) != 1:
            continue
        tensor, scale, seen = plus.output, 1.0, False
        while (product := graph.only_user(tensor, "Mul") or graph.only_user(tensor, "Div")) is not None:
            factor = _factor(graph, product.op, product.inputs, tensor, x)
            if factor is None or (factor[1] and seen) or (seen and math.isclose(scale, 0.5)):
                break
            tensor, scale, seen = product.output, scale * factor[0], seen or factor[1]
        if not seen:
            continue
        gelu = graph.add("Gelu", [x])
        if not math.isclose(scale, 0.5):
            gelu = graph.add("Mul", [gelu, graph.constant(np.float32(2 * scale), "scale")])
        graph.replace(tensor, gelu)
        graph.tidy()
        count += 1
    return count


def _divided_by_root_two(graph: OnnxGraph, inputs: list[str], op: str) -> str | None:
    """x, if these are the inputs of x * c or x / c that make x / sqrt 2."""
    for tensor, other in ((0, 1), (1, 0)) if op == "Mul" else ((0, 1),) if op == "Div" else ():
        value = graph.scalar(inputs[other])
        # float32 holds the root to 4e-8; half precision, which some exporters' constants went through, to 3e-4: that is another function.
        if value and math.isclose(value if op == "Mul" else 1 / value, 0.5**0.5, rel_tol=1e-6):
            return inputs[tensor]
    return None


def _factor(graph: OnnxGraph, op: str, inputs: list[str], tensor: str, x: str) -> tuple[float, bool] | None:
    """What a product multiplies `tensor` with: (number, False), or (number, True) for a number times x; None for anything else."""
    if op == "Div":
        value = graph.scalar(inputs[1])
        return (1 / value, False) if value and inputs[0] == tensor else None
    other = inputs[1] if inputs[0] == tensor else inputs[0]
    if (value := graph.scalar(other)) is not None:
        return value, False
    if other == x:
        return 1.0, True
    scaled = graph.producer(other)
    if scaled is None or scaled.op not in ("Mul", "Div") or x not in scaled.inputs:
        return None
    value = graph.scalar(graph.other_input(scaled, x))
    if value is None or (scaled.op == "Div" and (scaled.inputs[0] != x or not value)):
        return None
    return (value if scaled.op == "Mul" else 1 / value), True


def nest_concats(graph: OnnxGraph) -> int:
    """A Concat of more than five inputs becomes one of Concats: XNNPACK takes two to five."""
    count = 0
    for node in [n for n in graph.nodes if n.op == "Concat" and len(n.inputs) > MAX_CONCATENATION]:
        while len(node.inputs) > MAX_CONCATENATION:
            inner = graph.add("Concat", node.inputs[: MAX_CONCATENATION - 1], dict(node.attrs))
            node.inputs = [inner, *node.inputs[MAX_CONCATENATION - 1 :]]
        count += 1
    return count


def clip_output(graph: OnnxGraph) -> None:
    """Ends the graph with min(x, 1), then max(x, 0), unless a Clip to [0, 1] stands there already."""
    last = graph.producer(graph.output, "Clip")
    if last is not None and [graph.scalar(name) for name in last.inputs[1:]] == [0, 1]:
        graph.output = last.inputs[0]
    low = graph.add("Min", [graph.output, graph.constant(np.float32(1), "one")])
    graph.output = graph.add("Relu", [low])


REWRITES: tuple[Callable[[OnnxGraph], int], ...] = (
    lower_group_norms,
    fold_constants,
    drop_identities,
    cancel_transposes,
    merge_twins,
    name_group_norms,
    plain_norms,
    plain_sigmoids,
    lower_resizes,
    lower_paddings,
    plain_powers,
    fuse_gelus,
    fold_rings,
    lower_layer_norms,
    channels_first_norms,
    merge_repeated_inputs,
    merge_parallel,
    merge_pointwise,
    name_shuffles,
    name_unshuffles,
    reorder_shuffles,
    centre_norms,
    nest_concats,
)
"""In an order in which one prepares the next: shapes become constants before anything reads them."""
