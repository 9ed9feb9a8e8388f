"""GELU in parts, for NPUs whose own half-precision GELU is off: x * sigmoid(1.5958 x + 0.07135 x^3).

The Hexagon's GELU adds 1.6e-3 on average, which costs released LKDN-S 0.04 dB (docs/npu.md). The parts are the form by tanh, whose
largest difference to the exact one is 5e-4: within what weights of half precision may move, not within float32's bound. Beyond 8 the
sigmoid is 0 or 1 to the last bit, so x^2 is cut off there: else its product with x would leave half precision.
"""

from math import pi, sqrt

import numpy as np

from conversion.graph.ir import Graph, Node

_SATURATED = 8.0
_SLOPE = 2 * sqrt(2 / pi)
_CUBE = 0.044715 * _SLOPE * _SATURATED**2


def gelu_in_parts(graph: Graph) -> Graph:
    """The graph with every GELU written as x * sigmoid(x * (a + b * min(x * x, 64))); `graph` is not changed."""
    graph = graph.copy()
    for node in [node for node in graph.nodes.values() if node.op == "gelu"]:
        (x,) = node.inputs

        def before(part: str, op: str, inputs: list[str], node: Node = node, attrs: dict | None = None, **weights: float) -> str:
            arrays = {key: np.asarray(value, np.float32) for key, value in weights.items()}
            new = Node(f"{node.name}.{part}", op, attrs or {}, arrays, inputs, node.shape)
            graph.insert_before(node, new)
            return new.name

        eighth = before("eighth", "affine", [x], scale=1 / _SATURATED)
        square = before("square", "multiply", [eighth, eighth])
        cut = before("cut", "clip", [square], attrs={"low": 0.0, "high": 1.0})
        slope = before("slope", "affine", [cut], scale=_CUBE, offset=_SLOPE)
        gate = before("gate", "sigmoid", [before("argument", "multiply", [x, slope])])
        node.op, node.attrs, node.inputs = "multiply", {}, [x, gate]
    return graph
