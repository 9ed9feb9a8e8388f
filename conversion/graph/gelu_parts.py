"""GELU in parts, for NPUs whose own half-precision GELU is off: x * sigmoid(1.5958 x + 0.07135 x^3).

The Hexagon's GELU adds 1.6e-3 on average, which costs LKDN-S 0.04 dB (docs/npu.md). The parts are the form by tanh, whose largest
difference to the exact one is 5e-4: within what weights of half precision may move, not within float32's bound.
"""

from math import pi, sqrt

import numpy as np

from conversion.graph.ir import Graph, Node

_SLOPE = 2 * sqrt(2 / pi)
_CUBE = 0.044715 * _SLOPE


def gelu_in_parts(graph: Graph) -> Graph:
    """The graph with every GELU written as x * sigmoid(x * (a + b * x * x)); `graph` is not changed."""
    graph = graph.copy()
    for node in [node for node in graph.nodes.values() if node.op == "gelu"]:
        (x,) = node.inputs

        def before(part: str, op: str, inputs: list[str], weights: dict | None = None, node: Node = node) -> str:
            new = Node(f"{node.name}.{part}", op, {}, weights or {}, inputs, node.shape)
            graph.insert_before(node, new)
            return new.name

        square = before("square", "multiply", [x, x])
        slope = before("slope", "affine", [square], {"scale": np.float32(_CUBE), "offset": np.float32(_SLOPE)})
        gate = before("gate", "sigmoid", [before("argument", "multiply", [x, slope])])
        node.op, node.attrs, node.inputs = "multiply", {}, [x, gate]
    return graph
