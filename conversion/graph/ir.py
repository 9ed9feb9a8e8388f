"""The flat graph of a network: its stock operations one by one, NHWC.

A network is written in blocks, as in its paper. Exact rewrites, ranges, quantization and export want the operations
themselves: `conversion.graph.from_keras` unrolls the blocks, `conversion.graph.to_keras` builds an equal functional model,
`Graph.run` computes. What an operation is stands in one row of `conversion.graph.ops`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Node:
    """One operation.

    Attributes:
        name: unique in its graph.
        op: name of a row of `conversion.graph.ops.OPERATIONS`.
        attrs: plain values (dilation, epsilon, axis ...).
        weights: float32 arrays in Keras layout (kernel, bias, gamma, beta); absent ones are left out.
        inputs: names of the nodes it reads.
        shape: (1, H, W, C) at the size the graph was unrolled at.
    """

    name: str
    op: str
    attrs: dict = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    shape: tuple[int, ...] = ()


class Graph:
    """Nodes in an order in which every node follows its inputs; the last one is the output."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}

    @property
    def output(self) -> Node:
        """The node whose value is the network's result."""
        return next(reversed(self.nodes.values()))

    def users(self, name: str) -> list[Node]:
        """The nodes that read `name`."""
        return [node for node in self.nodes.values() if name in node.inputs]

    def only_user(self, name: str) -> Node | None:
        """The node that reads `name` if there is exactly one and it reads it once."""
        users = self.users(name)
        return users[0] if len(users) == 1 and users[0].inputs.count(name) == 1 else None

    def prune(self, output: str) -> None:
        """Drops all nodes that `output` does not need, and makes it the last."""
        needed, stack = set(), [output]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(self.nodes[name].inputs)
        self.nodes = {name: node for name, node in self.nodes.items() if name in needed}

    def insert_before(self, node: Node, new: Node) -> None:
        """Puts `new` just before `node` in the order."""
        order = []
        for other in self.nodes.values():
            order.extend([new, other] if other is node else [other])
        self.nodes = {n.name: n for n in order}

    def copy(self) -> "Graph":
        """An independent graph; arrays are shared and must be replaced, not changed in place."""
        return Graph(Node(n.name, n.op, dict(n.attrs), dict(n.weights), list(n.inputs), n.shape) for n in self.nodes.values())

    def run(self, images: Any | Mapping[str, Any]) -> dict[str, Any]:
        """Computes the value of every node, one operation after another, on Keras' backend.

        Args:
            images: (N, H, W, C) float32 of any size, or input node's name -> tensor for a graph of several inputs.

        Returns:
            node name -> tensor of the backend, (N, h, w, c); gradients flow through it.

        Example:
            >>> import numpy as np
            >>> from conversion.graph.ir import Graph, Node
            >>> graph = Graph([Node("image", "input"), Node("half", "affine", {}, {"scale": np.float32(0.5)}, ["image"])])
            >>> float(graph.run(np.ones((1, 2, 2, 3), np.float32))["half"][0, 0, 0, 0])
            0.5
        """
        from conversion.graph.ops import value_of

        values: dict[str, Any] = {}
        for node in self.nodes.values():
            if node.op == "input":
                values[node.name] = images[node.name] if isinstance(images, Mapping) else images
            else:
                values[node.name] = value_of(node, *(values[name] for name in node.inputs))
        return values
