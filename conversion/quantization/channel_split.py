"""One tensor of unlike channels becomes two of like ones, each with an int8 range of its own, where that pays.

Behind a GELU or SiLU channels cannot be equalised: the function does not commute with scaling. Where only convolutions read
them, the channels can be parted instead: `read(GELU(make(x)))` is `read_low(GELU(make_low(x))) + read_high(...)`, exactly.
LKDN's collection layer has channels that end at 0.05 beside one of 1.4, and the narrow ones carry the picture.
"""

import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR, OPS, value_of
from conversion.quantization.fake_quant import Ranges, nudged
from conversion.quantization.int8_graph import PATCHES
from conversion.quantization.sensitivity import Trace

GAIN = 0.5  # the noise of the parts must be below this share of the whole's
SHARE = 0.02  # of all tensors' noise: below it is not worth three more operations


def split_by_range(graph: Graph, traced: Trace, ranges: Ranges) -> tuple[Graph, Trace]:
    """Splits where the rounding noise that reaches the output falls enough.

    Args:
        graph: float, equalised; not changed.
        traced: of it.
        ranges: of it; they say how much each tensor matters.

    Returns:
        The new graph and its trace.
    """
    graph = graph.copy()
    noise = rounding_noise(graph, traced, ranges)
    values, weights = dict(traced.values), dict(traced.weights)
    for node in list(graph.nodes.values()):
        chain, readers = _chain(graph, node), graph.users(node.name)
        if not chain or not readers or any(n.op != "conv2d" for n in readers) or noise[node.name] < SHARE * sum(noise.values()):
            continue
        low = _narrow_channels(values[node.name], weights[node.name])
        if low is None:
            continue
        for suffix, chosen in (("low", low), ("high", ~low)):
            for old, part in zip(chain, _parts(chain, suffix, chosen)):
                graph.insert_before(node, part)
                values[part.name], weights[part.name] = (array[old.name][..., chosen] for array in (values, weights))
            for reader in readers:
                part = _reading(reader, node, suffix, chosen)
                graph.insert_before(reader, part)
                values[part.name] = np.asarray(value_of(part, *(values[i] for i in part.inputs)))
                weights[part.name] = weights[reader.name]
        for reader in readers:
            reader.op, reader.attrs, reader.weights, reader.inputs = "add", {}, {}, [f"{reader.name}.low", f"{reader.name}.high"]
    graph.prune(graph.output.name)
    return graph, Trace(values, weights)


def rounding_noise(graph: Graph, traced: Trace, ranges: Ranges) -> dict[str, float]:
    """Each tensor's rounding error as it reaches the output: node name -> mean square, output in [0, 1]; clipping left out.

    A rounding error of step s has the mean square s^2 / 12. Tensors that only take over others' steps are left out.
    """
    samples = traced.values[graph.output.name].size
    rounds = [n.name for n in graph.nodes.values() if n.op != "input" and not OPS[n.op].moves_values and n.name != PATCHES]
    return {name: float(traced.weights[name].sum()) * nudged(*ranges[name])[0] ** 2 / 12 / samples for name in rounds}


def _chain(graph: Graph, node: Node) -> list[Node]:
    """The convolutions whose output channels an activation keeps apart, and the activation; empty if something else reads them."""
    chain = _activation(graph, node)
    while chain and (chain[0].op not in LINEAR or chain[0].op == "depthwise_conv2d"):
        made = graph.nodes[chain[0].inputs[0]]
        if made.op not in LINEAR or made.name == PATCHES or any(user not in chain for user in graph.users(made.name)):
            return []
        chain.insert(0, made)
    return chain


def _activation(graph: Graph, node: Node) -> list[Node]:
    """A GELU, or the sigmoid and the product of a SiLU."""
    if node.op == "gelu":
        return [node]
    gates = [graph.nodes[i] for i in node.inputs if graph.nodes[i].op == "sigmoid"] if node.op == "multiply" else []
    is_silu = len(gates) == 1 and graph.only_user(gates[0].name) is node and gates[0].inputs[0] in node.inputs
    return [gates[0], node] if is_silu else []


def _narrow_channels(values: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Which channels go into the narrow part, (C,) bool: the cut of the sorted extremes with the least noise; None without gain."""
    channels = values.shape[-1]
    extreme = np.abs(values.reshape(-1, channels)).max(axis=0).astype(np.float64)
    weight = weights.reshape(-1, channels).sum(axis=0, dtype=np.float64)
    order = np.argsort(extreme)
    below, squares = np.cumsum(weight[order]), extreme[order] ** 2
    noise = below * squares + (below[-1] - below) * squares[-1]
    cut = int(np.argmin(noise))
    if noise[cut] > GAIN * noise[-1]:
        return None
    low = np.zeros(channels, bool)
    low[order[: cut + 1]] = True
    return low


def _parts(chain: list[Node], suffix: str, chosen: np.ndarray) -> list[Node]:
    """Copies of the chain for some of its channels."""
    parts: list[Node] = []
    names = {node.name: f"{node.name}.{suffix}" for node in chain}
    for node in chain:
        axis = 2 if node.op == "depthwise_conv2d" else -1
        weights = {key: np.compress(chosen, array, axis=axis if key == "kernel" else 0) for key, array in node.weights.items()}
        inputs = [names.get(name, name) for name in node.inputs]
        parts.append(Node(names[node.name], node.op, dict(node.attrs), weights, inputs, (*node.shape[:-1], int(chosen.sum()))))
    return parts


def _reading(reader: Node, source: Node, suffix: str, chosen: np.ndarray) -> Node:
    """A copy of a reader for some channels of its source; the bias goes with the low ones."""
    weights = {"kernel": reader.weights["kernel"][:, :, chosen]}
    if suffix == "low" and "bias" in reader.weights:
        weights["bias"] = reader.weights["bias"]
    return Node(f"{reader.name}.{suffix}", reader.op, dict(reader.attrs), weights, [f"{source.name}.{suffix}"], reader.shape)
