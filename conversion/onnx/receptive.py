"""How far an ONNX graph looks: low-resolution pixels around a pixel that its result can depend on, from the graph alone."""

import math

from conversion.onnx.convs import conv_of
from conversion.onnx.graph import OnnxGraph

POINT = {
    *("Add", "Sub", "Mul", "Div", "Min", "Max", "Relu", "LeakyRelu", "PRelu", "Gelu", "Sigmoid", "Tanh", "Clip", "Sqrt", "Pow", "Neg"),
    *("Abs", "Exp", "Elu", "HardSwish", "HardSigmoid", "Softplus", "Reciprocal", "Erf", "Cast", "Identity", "DepthToSpace"),
}
"""Operations whose every result depends on one place only."""


def receptive_radius(graph: OnnxGraph) -> int | None:
    """The radius in low-resolution pixels; None where an operation looks at the whole image or is not known here.

    A pixel after a pixel shuffle counts as the fraction of a low-resolution pixel that it is.
    """
    shapes = graph.shapes()
    reach = {graph.input: 0.0}
    graph.tidy()
    for node in graph.nodes:
        sources = [name for name in node.inputs if name in reach]
        if not sources:
            continue  # made of constants
        conv = conv_of(graph, node)
        shape = shapes.get(sources[0], ())
        if conv is not None and len(shape) == 4:
            magnification = shape[2] / graph.input_shape[2]
            spans = (d * (k - 1) for d, k in zip(conv.dilations, conv.weight.shape[2:]))
            step = max(max(before, span - before) for before, span in zip(conv.pads, spans)) / magnification
        elif node.op in POINT or (node.op == "Concat" and node.attrs.get("axis") in (1, -3)) or _over_channels(graph, node.inputs, node.op):
            step = 0.0
        else:
            return None
        reach[node.output] = max(reach[name] for name in sources) + step
    return math.ceil(reach[graph.output])


def _over_channels(graph: OnnxGraph, inputs: list[str], op: str) -> bool:
    axes = graph.constants.get(inputs[1]) if op in ("ReduceMean", "ReduceMax", "ReduceSum") and len(inputs) > 1 else None
    return axes is not None and axes.ravel().tolist() in ([1], [-3])
