"""Operations that phones' engines lack, as several that they have: the same function, term by term."""

import numpy as np

from conversion.onnx.graph import OnnxGraph

_REDUCTIONS = {"ReduceL2": "Mul", "ReduceSumSquare": "Mul", "ReduceL1": "Abs"}
"""Norm -> what is done to every element before they are summed."""


def lower_group_norms(graph: OnnxGraph) -> int:
    """GroupNormalization, of either opset's scales, and the form in which torch exports it, are means and products.

    A group's mean is the mean over the pixels of each channel, then over channels: a 1x1 Conv on one pixel, so that nothing is
    reshaped and the image's size stands nowhere.
    """
    count = 0
    for node in list(graph.nodes):
        if node.op != "GroupNormalization":
            continue
        scale, shift = (graph.constants.get(name) for name in node.inputs[1:3])
        groups, channels = node.attrs["num_groups"], _channels(graph, node.inputs[0])
        if scale is None or shift is None or channels is None or channels % groups:
            continue
        affine = [np.repeat(a, channels // a.size).reshape(1, -1, 1, 1) for a in (scale, shift)]
        result = _grouped_norm(graph, node.inputs[0], channels, groups, node.attrs.get("epsilon", 1e-5))
        result = graph.add("Add", [graph.add("Mul", [result, graph.constant(affine[0], "scale")]), graph.constant(affine[1], "shift")])
        graph.replace(node.output, result)
        graph.tidy()
        count += 1
    return count


def name_group_norms(graph: OnnxGraph) -> int:
    """Reshape to [n, groups, -1], InstanceNormalization without scale and shift, Reshape back: a group norm without them."""
    count = 0
    shapes = graph.shapes()
    for node in list(graph.nodes):
        first = graph.producer(node.inputs[0], "Reshape") if node.op == "InstanceNormalization" else None
        last = graph.only_user(node.output, "Reshape") if first is not None else None
        if first is None or last is None:
            continue
        before, grouped, after = (shapes.get(name, ()) for name in (first.inputs[0], first.output, last.output))
        scale, shift = (graph.constants.get(name) for name in node.inputs[1:3])
        if len(before) != 4 or before[0] != 1 or before != after or len(grouped) < 3 or before[1] % grouped[1]:
            continue
        if scale is None or shift is None or np.any(scale != 1) or np.any(shift):
            continue
        graph.replace(last.output, _grouped_norm(graph, first.inputs[0], before[1], grouped[1], node.attrs.get("epsilon", 1e-5)))
        graph.tidy()
        count += 1
    return count


def _grouped_norm(graph: OnnxGraph, x: str, channels: int, groups: int, epsilon: float) -> str:
    size = channels // groups
    average = np.kron(np.eye(groups), np.full((size, size), 1 / size)).reshape(channels, channels, 1, 1).astype(np.float32)

    def mean(tensor: str) -> str:
        pooled = graph.add("GlobalAveragePool", [tensor])
        return pooled if size == 1 else graph.add("Conv", [pooled, graph.constant(average, "average")], {"kernel_shape": [1, 1]})

    centred = graph.add("Sub", [x, mean(x)])
    variance = graph.add("Add", [mean(graph.add("Mul", [centred, centred])), graph.constant(np.float32(epsilon), "epsilon")])
    return graph.add("Div", [centred, graph.add("Sqrt", [variance])])


def _channels(graph: OnnxGraph, tensor: str) -> int | None:
    """Of a tensor that Convs and what works on each element made; shapes cannot be inferred over this operation."""
    node = graph.producer(tensor)
    while node is not None:
        if node.op == "Conv" and node.inputs[1] in graph.constants:
            return len(graph.constants[node.inputs[1]])
        if node.op == "Concat":
            parts = [_channels(graph, name) for name in node.inputs]
            return None if None in parts else sum(part or 0 for part in parts)
        if node.op == "DepthToSpace":
            whole = _channels(graph, node.inputs[0])
            return None if whole is None else whole // node.attrs["blocksize"] ** 2
        tensor = next((name for name in node.inputs if name not in graph.constants), "")
        node = graph.producer(tensor)
    return graph.input_shape[1] if tensor == graph.input else None


def plain_norms(graph: OnnxGraph) -> int:
    """ReduceL2, ReduceL1 and ReduceSumSquare are sums of squares or magnitudes, and a root."""
    count = 0
    for node in list(graph.nodes):
        if node.op not in _REDUCTIONS:
            continue
        part = [node.inputs[0]] * (2 if _REDUCTIONS[node.op] == "Mul" else 1)
        inputs, attrs = [graph.add(_REDUCTIONS[node.op], part), *node.inputs[1:]], dict(node.attrs)
        if "axes" in attrs:  # an attribute of older opsets; ReduceSum has had an input since 13
            inputs, attrs = [inputs[0], graph.constant(np.asarray(attrs.pop("axes"), np.int64), "axes")], attrs
        total = graph.add("ReduceSum", inputs, attrs)
        graph.replace(node.output, graph.add("Sqrt", [total]) if node.op == "ReduceL2" else total)
        graph.tidy()
        count += 1
    return count


def plain_sigmoids(graph: OnnxGraph) -> int:
    """HardSigmoid is a line between 0 and 1, HardSwish that times its input."""
    count = 0
    for node in list(graph.nodes):
        if node.op not in ("HardSigmoid", "HardSwish"):
            continue
        alpha = node.attrs.get("alpha", 1 / 6 if node.op == "HardSwish" else 0.2)
        line = graph.add("Mul", [node.inputs[0], graph.constant(np.float32(alpha), "alpha")])
        line = graph.add("Add", [line, graph.constant(np.float32(node.attrs.get("beta", 0.5)), "beta")])
        line = graph.add("Relu", [graph.add("Min", [line, graph.constant(np.float32(1), "one")])])
        graph.replace(node.output, graph.add("Mul", [node.inputs[0], line]) if node.op == "HardSwish" else line)
        graph.tidy()
        count += 1
    return count


def cancel_transposes(graph: OnnxGraph) -> int:
    """A Transpose of a Transpose is one, or nothing."""
    count = 0
    for node in list(graph.nodes):
        first = graph.producer(node.inputs[0], "Transpose") if node.op == "Transpose" else None
        if first is None or "perm" not in node.attrs or "perm" not in first.attrs:
            continue
        perm = [first.attrs["perm"][axis] for axis in node.attrs["perm"]]
        if perm == sorted(perm):
            if node.output == graph.output and first.inputs[0] == graph.input:
                continue
            graph.replace(node.output, first.inputs[0])
        else:
            node.inputs, node.attrs = [first.inputs[0]], {"perm": perm}
        graph.tidy()
        count += 1
    return count
