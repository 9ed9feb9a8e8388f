"""Centring and equalisation: every channel of a tensor made to fill the tensor's one int8 range, without changing the function.

A tensor has one scale and zero point for all its channels. Where only linear operations follow, a channel can be shifted
and scaled for free: what makes it absorbs the change, what reads it undoes it (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1, with measured instead of estimated ranges).
"""

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR
from conversion.quantization.int8_graph import PATCHES

TAIL = 1e-3  # share of an image's pixels that may lie outside of what counts as a channel's extreme
SMALLEST = 1e-6  # of a tensor's largest extreme: a dead channel is not blown up

Extremes = dict[str, np.ndarray]


def equalised(graph: Graph, images: np.ndarray) -> Graph:
    """The graph with its channels centred, then equalised, on images (N, H, W, 3) float32 in [0, 1]."""
    graph = centre(graph, channel_extremes(graph, images))
    return equalise(graph, channel_extremes(graph, images))


def channel_extremes(graph: Graph, images: np.ndarray) -> Extremes:
    """Smallest and largest value of every channel of every node, but for the outermost `TAIL` of each image.

    Args:
        graph: any.
        images: (N, H, W, 3) float32 in [0, 1].

    Returns:
        node name -> (2, C) float64, row 0 the lower extremes.
    """
    names = [name for name, node in graph.nodes.items() if node.op != "input"]
    extremes: Extremes = {}
    for image in images:
        values = graph.run(image[None])
        for name in names:
            flat = np.ascontiguousarray(np.asarray(values[name]).reshape(-1, values[name].shape[-1]).T)
            outside = int(TAIL * flat.shape[1])
            ends = np.partition(flat, (outside, flat.shape[1] - 1 - outside), axis=1)[:, [outside, -1 - outside]].T
            seen = extremes.get(name, ends)
            extremes[name] = np.stack([np.minimum(seen[0], ends[0]), np.maximum(seen[1], ends[1])])
    return extremes


def centre(graph: Graph, extremes: Extremes) -> Graph:
    """Shifts tensors whose every reader is a sum, a concatenation or a 1x1 convolution, so that each channel straddles zero.

    Larger convolutions pad with zeros, which a shift would make something else: their inputs stay.

    Args:
        graph: not changed.
        extremes: of `channel_extremes`, of this graph.
    """
    graph = graph.copy()
    free = _shiftable(graph)
    shift = {name: np.zeros(node.shape[-1]) for name, node in graph.nodes.items()}
    for node in graph.nodes.values():
        if node.op in LINEAR:
            _undo_shift(node, shift[node.inputs[0]])
            if node.name in free:
                wanted = -extremes[_centred_with(graph, node)].mean(axis=0)
                shift[node.name] = wanted - _shift_of_partner(graph, node, shift)
                node.weights["bias"] = (_bias(node) + shift[node.name]).astype(np.float32)
        elif node.op == "add":
            shift[node.name] = np.sum([shift[i] for i in node.inputs], axis=0)
        elif node.op == "concatenate":
            shift[node.name] = np.concatenate([shift[i] for i in node.inputs])
    return graph


def _shiftable(graph: Graph) -> set[str]:
    free: set[str] = set()
    for node in reversed(graph.nodes.values()):
        users = graph.users(node.name)
        movable = node.op in (*LINEAR, "add", "concatenate") and node.name != PATCHES
        if users and movable and all(_takes_shift(user, free) for user in users):
            free.add(node.name)
    return free


def _takes_shift(user: Node, free: set[str]) -> bool:
    if user.op == "conv2d":
        return user.weights["kernel"].shape[:2] == (1, 1)
    return user.op in ("add", "concatenate") and user.name in free


def _centred_with(graph: Graph, node: Node) -> str:
    """The tensor that a convolution's shift is chosen for: the sum that it alone feeds, or itself."""
    user = graph.only_user(node.name)
    return user.name if user is not None and user.op == "add" else node.name


def _shift_of_partner(graph: Graph, node: Node, shift: dict[str, np.ndarray]) -> np.ndarray | float:
    user = graph.only_user(node.name)
    if user is None or user.op != "add":
        return 0.0
    return sum(shift[i] for i in user.inputs if i != node.name)


def _undo_shift(node: Node, incoming: np.ndarray) -> None:
    if incoming.any():
        kernel = node.weights["kernel"].astype(np.float64)[0, 0]
        node.weights["bias"] = (_bias(node) - incoming @ kernel).astype(np.float32)


def _bias(node: Node) -> np.ndarray:
    return node.weights.get("bias", np.zeros(node.shape[-1])).astype(np.float64)


def equalise(graph: Graph, extremes: Extremes) -> Graph:
    """Scales channels so that each reaches the same magnitude, one, wherever every reader can undo it.

    Scales travel: a sum's terms and result share theirs, a concatenation passes them on, a product multiplies them; a
    convolution takes any and gives any; every other operation wants its channels as they are.

    Args:
        graph: not changed.
        extremes: of `channel_extremes`, of this graph.
    """
    graph = graph.copy()
    slots, sets = _slots(graph)
    largest = np.zeros(len(sets))
    for name, slot in slots.items():
        if name in extremes and graph.nodes[name].op != "multiply":
            np.maximum.at(largest, sets[slot], np.abs(extremes[_judge(graph, name, slots, sets)]).max(axis=0))
    scale = np.where(largest > 0, 1 / np.maximum(largest, SMALLEST * largest.max(initial=1.0)), 1.0)
    scale[sets[0]] = 1.0
    scales: dict[str, np.ndarray] = {}
    for node in graph.nodes.values():
        if node.op == "multiply":
            scales[node.name] = np.multiply(*(scales[i] for i in node.inputs))
            continue
        if node.op == "concatenate":
            scales[node.name] = np.concatenate([scales[i] for i in node.inputs])
            continue
        scales[node.name] = scale[sets[slots[node.name]]]
        if node.op in LINEAR:
            _scale(node, scales[node.inputs[0]], scales[node.name])
    return graph


def _judge(graph: Graph, name: str, slots: dict[str, np.ndarray], sets: np.ndarray) -> str:
    """The tensor that a tensor's scale is chosen for: the free product with one that has no scale to choose, or itself."""
    product = graph.only_user(name)
    if product is None or product.op != "multiply" or not _product_is_free(graph, product):
        return name
    other = next(i for i in product.inputs if i != name)
    return product.name if (sets[slots[other]] == sets[0]).all() and graph.nodes[name].shape == product.shape else name


def _slots(graph: Graph) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Which channels of which tensors share a scale.

    Returns:
        node name -> (C,) numbers of slots; and the set that each slot is in, whose number is that of a slot of it. Slots in
        the set of slot 0 must keep a scale of one.
    """
    sets = DisjointSet([0])

    def join(a: np.ndarray, b: np.ndarray | int) -> None:
        for i, j in np.broadcast(a, b):
            sets.merge(int(i), int(j))

    slots: dict[str, np.ndarray] = {}
    for node in graph.nodes.values():
        inputs = [slots[i] for i in node.inputs]
        channels = node.shape[-1]
        if node.op in LINEAR and node.name != PATCHES:
            slots[node.name] = np.arange(len(sets), len(sets) + channels)
            for slot in slots[node.name]:
                sets.add(int(slot))
        elif node.op == "add" and all(len(i) == channels for i in inputs):
            slots[node.name] = inputs[0]
            for other in inputs[1:]:
                join(inputs[0], other)
        elif node.op == "concatenate" and node.attrs["axis"] in (-1, 3):
            slots[node.name] = np.concatenate(inputs)
        else:
            if node.op != "multiply" or not _product_is_free(graph, node):
                for slot in inputs:
                    join(slot, 0)
            slots[node.name] = np.zeros(channels, int)
    join(slots[graph.output.name], 0)
    return slots, np.array([sets[i] for i in range(len(sets))])


def _product_is_free(graph: Graph, node: Node) -> bool:
    users = graph.users(node.name)
    fits = all(graph.nodes[i].shape[-1] in (1, node.shape[-1]) for i in node.inputs)
    joined = [user for user in users if user.op == "concatenate"]
    readers = [user for user in users if user.op != "concatenate"] + [reader for user in joined for reader in graph.users(user.name)]
    return fits and bool(readers) and all(reader.op in LINEAR for reader in readers)


def _scale(node: Node, incoming: np.ndarray, outgoing: np.ndarray) -> None:
    kernel = node.weights["kernel"].astype(np.float64)
    undone = kernel / incoming[:, None]
    node.weights["kernel"] = (undone * (outgoing[:, None] if node.op == "depthwise_conv2d" else outgoing)).astype(np.float32)
    if "bias" in node.weights:
        node.weights["bias"] = (node.weights["bias"] * outgoing).astype(np.float32)
