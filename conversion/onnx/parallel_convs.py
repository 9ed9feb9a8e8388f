"""Convolutions that compute one linear map in several pieces become one Conv: the folds of re-parameterizable blocks.

All sums are taken in float64. Each rewrite is exact up to rounding, at the border as well.
"""

from dataclasses import replace

import numpy as np

from conversion.graph.hardware_limits import THIN_CHANNELS
from conversion.onnx.convs import Conv, conv_of, store
from conversion.onnx.graph import OnnxGraph, OnnxNode


def merge_parallel(graph: OnnxGraph) -> int:
    """A sum of "same" Convs of one tensor, of equal groups, perhaps with the tensor itself, is one Conv.

    The Convs' results must have no other reader. A smaller kernel is padded with zeros, the tensor itself is the identity.
    """
    count = 0
    for node in list(graph.nodes):
        if node.op != "Add" or node not in graph.nodes:
            continue
        last = graph.only_user(node.output)
        if last is not None and last.op == "Add":
            continue  # the whole sum is looked at from its last Add
        terms = _terms(graph, node)
        pair = _mergeable(graph, terms)
        if pair is None:
            continue
        merged, gone = pair
        store(graph, merged)
        terms.remove(gone)
        total = terms[0]
        for term in terms[1:-1]:
            total = graph.add("Add", [total, term])
        if len(terms) > 1:
            total = graph.add("Add", [total, terms[-1]])
        graph.replace(node.output, total)
        graph.tidy()
        count += 1
    return count


def _terms(graph: OnnxGraph, node: OnnxNode) -> list[str]:
    """The tensors that a tree of Adds sums up."""
    found = []
    for name in node.inputs:
        maker = graph.producer(name, "Add")
        found.extend(_terms(graph, maker) if maker is not None and graph.only_user(name) is node else [name])
    return found


def _mergeable(graph: OnnxGraph, terms: list[str]) -> tuple[Conv, str] | None:
    """A Conv that can take in another term, as it then is, and the name of that term."""
    convs = [(t, c) for t in terms if (c := _summand(graph, t)) is not None and terms.count(t) == 1]
    for i, (_, first) in enumerate(convs):
        for name, second in convs[i + 1 :]:
            if _alike(first, second):
                return _sum(first, second), name
        square = first.group * first.weight.shape[1] == len(first.weight)
        if square and first.source in terms and first.source not in graph.constants:
            return _sum(first, _identity(first)), first.source
    return None


def _summand(graph: OnnxGraph, name: str) -> Conv | None:
    conv = conv_of(graph, graph.producer(name, "Conv"))
    alone = len(graph.users(name)) == 1 and graph.output != name
    return conv if conv is not None and conv.same and alone else None


def _alike(one: Conv, other: Conv) -> bool:
    same = one.source == other.source and one.group == other.group and one.weight.shape[:2] == other.weight.shape[:2]
    # A 1x1 kernel has no dilation; others can only be laid onto each other if theirs are equal.
    kernels = {c.dilations for c in (one, other) if c.weight.shape[2:] != (1, 1)}
    return same and len(kernels) < 2


def _identity(conv: Conv) -> Conv:
    inner = conv.weight.shape[1]
    weight = np.zeros((*conv.weight.shape[:2], 1, 1))
    weight[np.arange(len(weight)), np.arange(len(weight)) % inner] = 1
    return replace(conv, weight=weight, bias=np.zeros(len(weight)), pads=(0, 0, 0, 0))


def _sum(one: Conv, other: Conv) -> Conv:
    larger = one if one.weight.size >= other.weight.size else other
    sides = [max(c.weight.shape[axis] for c in (one, other)) for axis in (2, 3)]
    weight = np.zeros((*one.weight.shape[:2], *sides))
    for conv in (one, other):
        top, left = ((side - k) // 2 for side, k in zip(sides, conv.weight.shape[2:]))
        weight[:, :, top : top + conv.weight.shape[2], left : left + conv.weight.shape[3]] += conv.weight
    reach = [d * (side - 1) // 2 for d, side in zip(larger.dilations, sides)]
    bias = one.bias.astype(np.float64) + other.bias
    return replace(one, weight=weight, bias=bias, dilations=larger.dilations, pads=(*reach, *reach))


def merge_pointwise(graph: OnnxGraph) -> int:
    """A dense 1x1 without bias, then a Conv, is one dense Conv; padding is no obstacle, as 0 maps to 0.

    Done where it costs no more multiplications, or where the 1x1 reads so few channels that the saved pass is worth more.
    """
    count = 0
    for node in list(graph.nodes):
        second = conv_of(graph, node)
        first = conv_of(graph, graph.producer(node.inputs[0], "Conv"))
        if second is None or first is None or not first.pointwise or first.group != 1 or np.any(first.bias):
            continue
        if graph.only_user(first.node.output) is not node:
            continue
        if second.group == 1:
            weight = np.einsum("omhw,mi->oihw", second.weight.astype(np.float64), first.weight[:, :, 0, 0].astype(np.float64))
        elif second.depthwise:
            weight = np.einsum("ohw,oi->oihw", second.weight[:, 0].astype(np.float64), first.weight[:, :, 0, 0].astype(np.float64))
        else:
            continue
        if weight.size > first.weight.size + second.weight.size and weight.shape[1] > THIN_CHANNELS:
            continue
        store(graph, replace(second, source=first.source, weight=weight, group=1))
        graph.tidy()
        count += 1
    return count


def merge_repeated_inputs(graph: OnnxGraph) -> int:
    """A dense Conv of one tensor concatenated n times is a Conv of the tensor with summed slices of the weight."""
    count = 0
    for node in list(graph.nodes):
        if node.op != "Concat" or node.attrs.get("axis") not in (1, -3) or len(set(node.inputs)) != 1 or len(node.inputs) < 2:
            continue
        users = graph.users(node.output)
        convs = [conv for user in users if (conv := conv_of(graph, user)) is not None and conv.group == 1]
        if node.output == graph.output or len(convs) != len(users):
            continue
        for conv in convs:
            weight = conv.weight.astype(np.float64).reshape(len(conv.weight), len(node.inputs), -1, *conv.weight.shape[2:]).sum(axis=1)
            store(graph, replace(conv, source=node.inputs[0], weight=weight))
        graph.tidy()
        count += 1
    return count
