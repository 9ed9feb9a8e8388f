"""Powers of two that keep a foreign ONNX graph inside half precision, exact in float32: `conversion.graph.half_range` for ONNX.

A Conv may give its result at any scale if all that reads it undoes the scale (another Conv, a norm) or hands it to
something that does (a product). Weights and the norm's epsilon are scaled along.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnxruntime

from conversion.graph.hardware_limits import scale_to_target
from conversion.onnx.convs import conv_of, store
from conversion.onnx.graph import OnnxGraph, OnnxNode
from conversion.onnx.norms import match_norm


def rescale_onnx(graph: OnnxGraph, images: Iterable[np.ndarray]) -> int:
    """Scales the free intermediates to magnitudes of about `HALF_TARGET`; gives their number.

    Args:
        graph: rewritten; changed in place.
        images: (1, H, W, 3) float32 in [0, 1], of the graph's own size.
    """
    graph.tidy()
    free = _free_tensors(graph)
    largest = _measure(graph, [n.output for n in graph.nodes if n.op == "Conv" and n.output in free], images)
    scale: dict[str, float] = {}
    for node in list(graph.nodes):
        conv = conv_of(graph, node)
        if conv is not None:
            outgoing = scale_to_target(largest[node.output]) if node.output in free else 1.0
            incoming = scale.get(conv.source, 1.0)
            if (incoming, outgoing) != (1.0, 1.0):
                store(graph, replace(conv, weight=conv.weight * (outgoing / incoming), bias=conv.bias * outgoing))
        elif node.op == "Mul" and node.output in free:
            outgoing = float(np.prod([scale.get(name, 1.0) for name in node.inputs]))
        else:
            continue
        scale[node.output] = outgoing
        norm = match_norm(graph, node.output) if outgoing != 1 else None
        if norm is not None:
            epsilon = graph.constant(np.float32(norm.epsilon * outgoing**2), "epsilon")
            norm.shift.inputs = [epsilon if name in graph.constants else name for name in norm.shift.inputs]
    graph.tidy()
    return sum(value != 1 for value in scale.values())


def _free_tensors(graph: OnnxGraph) -> set[str]:
    free: set[str] = set()
    for node in reversed(graph.nodes):
        made = node.output
        users = graph.users(made)
        if node.op not in ("Conv", "Mul") or made == graph.output or not users:
            continue
        if match_norm(graph, made) is not None or all(_undoes(graph, user, made, free) for user in users):
            free.add(made)
    return free


def _undoes(graph: OnnxGraph, user: OnnxNode, tensor: str, free: set[str]) -> bool:
    conv = conv_of(graph, user)
    if conv is not None:
        return conv.source == tensor
    return user.op == "Mul" and user.output in free and not any(name in graph.constants for name in user.inputs)


def _measure(graph: OnnxGraph, tensors: list[str], images: Iterable[np.ndarray]) -> dict[str, float]:
    """Largest magnitude of each tensor over all images, inf where one was not finite."""
    largest = dict.fromkeys(tensors, 0.0)
    if not tensors:
        return largest
    session = open_session(graph.to_model(tensors).SerializeToString())
    for image in images:
        for name, value in zip(tensors, session.run(tensors, {graph.input: np.ascontiguousarray(image.transpose(0, 3, 1, 2))})):
            found = float(np.abs(value).max(initial=0.0))
            largest[name] = max(largest[name], found if np.isfinite(found) else np.inf)
    return largest


def open_session(model: bytes | str, threads: int = 2) -> onnxruntime.InferenceSession:
    """An onnxruntime session on CPU that says nothing; its own rewrites are on."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
