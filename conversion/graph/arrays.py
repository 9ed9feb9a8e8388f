"""A graph and its ranges as named arrays, for an .npz: how they cross to another process, which may hold another Keras."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conversion.graph.ir import Graph, Node


@dataclass(frozen=True)
class RangeTable:
    """What the values of a graph are quantized to: 8 bits over [low, high].

    Attributes:
        group: node name -> index of its range; nodes that share a range share the index, unquantized ones are left out.
        bounds: (G, 2) float32, low and high of each range.
        learned: (G,) bool, False where a kernel or the contract fixes the range.
    """

    group: dict[str, int]
    bounds: np.ndarray
    learned: np.ndarray


def pack(graph: Graph, ranges: RangeTable | None = None) -> dict[str, np.ndarray]:
    """Arrays that `unpack` makes the graph and the ranges of again; no pickle."""
    nodes = [
        {"name": n.name, "op": n.op, "attrs": n.attrs, "weights": sorted(n.weights), "inputs": n.inputs, "shape": list(n.shape)}
        for n in graph.nodes.values()
    ]
    arrays = {f"{n.name}:{key}": np.asarray(value) for n in graph.nodes.values() for key, value in n.weights.items()}
    if ranges is not None:
        arrays |= {"bounds:": ranges.bounds, "learned:": ranges.learned}
    return arrays | {"graph:": np.array(json.dumps({"nodes": nodes, "group": ranges.group if ranges else {}}))}


def unpack(arrays: Mapping[str, np.ndarray]) -> tuple[Graph, RangeTable | None]:
    """The graph and the ranges of `pack`."""
    facts = json.loads(str(arrays["graph:"]))
    graph = Graph(
        Node(n["name"], n["op"], n["attrs"], {k: arrays[f"{n['name']}:{k}"] for k in n["weights"]}, n["inputs"], tuple(n["shape"]))
        for n in facts["nodes"]
    )
    ranges = RangeTable(facts["group"], arrays["bounds:"], arrays["learned:"]) if "bounds:" in arrays else None
    return graph, ranges
