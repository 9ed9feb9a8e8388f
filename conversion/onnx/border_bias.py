"""The bias ring of a re-parameterizable block: a padded border that is overwritten with one value per channel.

Such a block pads the map between its 1x1 and its kxk convolution with what the 1x1 makes of zeros, its bias. Exporters
write that as Pad and a chain of ScatterND, which no phone GPU runs. With v the ring's values, the padded map is
`Pad(x - v) + v`: v moves into the biases around it, and nothing of the ring is left.
"""

from dataclasses import replace

import numpy as np

from conversion.onnx.convs import conv_of, store
from conversion.onnx.graph import OnnxGraph, OnnxNode


def fold_rings(graph: OnnxGraph) -> int:
    """Pads of zeros whose border a chain of ScatterND sets to one value per channel, and nothing else."""
    count = 0
    for last in list(graph.nodes):
        follower = graph.only_user(last.output)
        if last.op != "ScatterND" or (follower is not None and follower.op == "ScatterND" and follower.inputs[0] == last.output):
            continue
        pad, writes = _chain(graph, last)
        sides = _zero_pad(graph, pad)
        if pad is None or sides is None:
            continue
        shape = graph.shapes().get(pad.output)
        values = _ring_values(writes, sides, shape) if shape is not None and len(shape) == 4 and shape[0] == 1 else None
        if values is None:
            continue
        inner = _subtract(graph, pad, values)
        consumer = conv_of(graph, graph.only_user(last.output))
        if consumer is not None and consumer.pads == (0, 0, 0, 0) and consumer.source == last.output:
            outputs, inputs = consumer.weight.shape[:2]
            seen = values.reshape(consumer.group, inputs).repeat(outputs // consumer.group, axis=0)
            bias = consumer.bias + (consumer.weight.astype(np.float64).sum(axis=(2, 3)) * seen).sum(axis=1)
            store(graph, replace(consumer, source=inner, bias=bias, pads=sides))
        else:
            pad.inputs[0] = inner
            ring = graph.constant(values.astype(np.float32).reshape(1, -1, 1, 1), "ring")
            graph.replace(last.output, graph.add("Add", [pad.output, ring]))
        graph.tidy()
        count += 1
    return count


def _chain(graph: OnnxGraph, last: OnnxNode) -> tuple[OnnxNode | None, list[tuple[np.ndarray, np.ndarray]]]:
    """The Pad that a chain of constant ScatterND starts from, and their indices and updates, first to last."""
    writes: list[tuple[np.ndarray, np.ndarray]] = []
    node: OnnxNode | None = last
    while node is not None and node.op == "ScatterND":
        indices, updates = (graph.constants.get(name) for name in node.inputs[1:])
        if indices is None or updates is None or node.attrs.get("reduction", "none") != "none":
            return None, []
        writes.insert(0, (indices, updates))
        before = node.inputs[0]
        node = graph.producer(before) if graph.only_user(before) is node else None
    return (node if node is not None and node.op == "Pad" else None), writes


def _zero_pad(graph: OnnxGraph, pad: OnnxNode | None) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) of a Pad of height and width with zeros."""
    if pad is None or pad.attrs.get("mode", "constant") != "constant" or len(pad.inputs) > 3 and pad.inputs[3]:
        return None
    amounts = graph.constants.get(pad.inputs[1])
    fill = graph.scalar(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0.0
    if amounts is None or amounts.size != 8 or fill != 0 or amounts.min() < 0 or amounts[[0, 1, 4, 5]].any():
        return None
    top, left, bottom, right = (int(a) for a in amounts[[2, 3, 6, 7]])
    return top, left, bottom, right


def _ring_values(writes: list[tuple[np.ndarray, np.ndarray]], sides: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray | None:
    """The value of each channel's ring, None if the writes do anything but fill the border with one value per channel.

    The writes run on an empty map, so whatever order and overlap they have, what counts is what they leave.
    """
    canvas = np.full(shape, np.nan)
    for indices, updates in writes:
        canvas[tuple(np.moveaxis(indices, -1, 0))] = updates
    top, left, bottom, right = sides
    border = np.ones(shape[2:], bool)
    border[top : shape[2] - bottom, left : shape[3] - right] = False
    written = ~np.isnan(canvas)
    if not border.any() or (written != border).any():
        return None
    ring = canvas[0][:, border]
    return ring[:, 0] if (ring == ring[:, :1]).all() else None


def _subtract(graph: OnnxGraph, pad: OnnxNode, values: np.ndarray) -> str:
    """What the Pad reads, less the ring's values: in the bias of the Conv that makes it, where only the Pad reads that."""
    name = pad.inputs[0]
    conv = conv_of(graph, graph.producer(name))
    if conv is not None and graph.only_user(name) is pad:
        store(graph, replace(conv, bias=conv.bias - values))
        return name
    return graph.add("Sub", [name, graph.constant(values.astype(np.float32).reshape(1, -1, 1, 1), "ring")])
