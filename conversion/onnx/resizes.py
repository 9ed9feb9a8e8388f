"""Resizes and paddings in other ways than phones' engines have, as convolutions, slices and products: exact, at the border as well.

A Resize of any mode is linear: what it does along an axis is a matrix, which onnxruntime gives for it. Where each output pixel
of a block takes its inputs by the same weights, it is a Conv and a pixel shuffle; else, as with aligned corners, the matrix itself.
"""

import numpy as np
from onnx import TensorProto, helper

from conversion.onnx.convs import conv_of
from conversion.onnx.graph import OnnxGraph, OnnxNode
from conversion.onnx.rescaling import open_session

_LARGEST_PAD = 8
_EXACT = 1e-5


def lower_resizes(graph: OnnxGraph) -> int:
    """Every Resize of height and width but the bilinear one of half pixels, which engines have."""
    count = 0
    shapes = graph.shapes()
    for node in [n for n in graph.nodes if n.op in ("Resize", "Upsample")]:
        before, after = shapes.get(node.inputs[0], ()), shapes.get(node.output, ())
        if len(before) != 4 or len(after) != 4 or before[:2] != after[:2] or _native(node, before, after):
            continue
        if before == after:
            graph.replace(node.output, node.inputs[0])
        else:
            rows, columns = (_matrix(node, graph.opset, before[axis], after[axis]) for axis in (2, 3))
            made = _by_phases(graph, node, before, rows, columns) or _by_matrices(graph, node.inputs[0], before, rows, columns)
            graph.replace(node.output, made)
        graph.tidy()
        count += 1
    return count


def _native(node: OnnxNode, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    if node.attrs.get("mode") != "linear" or node.attrs.get("antialias") or node.attrs.get("exclude_outside"):
        return False
    return node.attrs.get("coordinate_transformation_mode", "half_pixel") in ("half_pixel", "pytorch_half_pixel") and min(after[2:]) > 1


def _matrix(node: OnnxNode, opset: int, size: int, target: int) -> np.ndarray:
    """(target, size) float32: what the Resize does along an axis."""
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, size, size])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    # Along the other axis nothing changes: its factor is 1 in every mode.
    sizes = helper.make_tensor("s", TensorProto.INT64, [4], [1, 1, target, size])
    made = helper.make_node("Resize", ["x", "", "", "s"], ["y"], **{k: v for k, v in node.attrs.items() if k != "keep_aspect_ratio_policy"})
    model = helper.make_model(
        helper.make_graph([made], "axis", [image], [result], [sizes]), opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )
    one = open_session(model.SerializeToString(), 1).run(None, {"x": np.eye(size, dtype=np.float32)[None, None]})[0]
    return np.asarray(one[0, 0], np.float32)


def _by_phases(graph: OnnxGraph, node: OnnxNode, before: tuple[int, ...], rows: np.ndarray, columns: np.ndarray) -> str | None:
    """A Conv that makes a block of output pixels of each pixel, and a shuffle; None where the blocks are not alike."""
    scale = len(rows) // before[2]
    if scale < 2 or (len(rows), len(columns)) != (before[2] * scale, before[3] * scale):
        return None
    filters = [_phases(matrix, scale) for matrix in (rows, columns)]
    vertical, horizontal = filters
    if vertical is None or horizontal is None or vertical.shape != horizontal.shape or np.abs(vertical - horizontal).max() > _EXACT:
        return None
    reach, x = vertical.shape[1] // 2, node.inputs[0]
    kernel = np.einsum("py,qx->pqyx", vertical, vertical).reshape(scale**2, 2 * reach + 1, 2 * reach + 1)
    user = conv_of(graph, graph.only_user(node.output, "Conv"))
    if reach == 0 and user is not None and user.same and user.group == 1 and user.dilations == (1, 1):
        return _enlarged_and_convolved(graph, x, scale, user.node)
    channels = before[1]
    weight = np.einsum("pyx,oi->poiyx", kernel, np.eye(channels, dtype=np.float32)).reshape(-1, channels, *kernel.shape[1:])
    padded = _padded_by_slices(graph, x, before, reach, "edge") if reach else x
    inputs = [padded, graph.constant(np.ascontiguousarray(weight, np.float32), "phases")]
    made = graph.add("Conv", inputs, {"kernel_shape": list(weight.shape[2:]), "pads": [0, 0, 0, 0]})
    return graph.add("DepthToSpace", [made], {"blocksize": scale, "mode": "DCR"})


def _phases(matrix: np.ndarray, scale: int) -> np.ndarray | None:
    """(scale, 2 r + 1) weights of the pixels around, if every output pixel takes them so, those outside being the edge's."""
    size = matrix.shape[1]
    for reach in range(min(4, (size - 1) // 2)):
        middle = size // 2
        taken = matrix[middle * scale : (middle + 1) * scale, middle - reach : middle + reach + 1]
        rebuilt = np.zeros_like(matrix)
        for pixel in range(size):
            for offset in range(-reach, reach + 1):
                rebuilt[pixel * scale : (pixel + 1) * scale, min(max(pixel + offset, 0), size - 1)] += taken[:, offset + reach]
        if np.abs(rebuilt - matrix).max() <= _EXACT:
            return taken
    return None


def _enlarged_and_convolved(graph: OnnxGraph, x: str, scale: int, node: OnnxNode) -> str | None:
    """Nearest neighbours, then a Conv: a Conv of as many multiplications before a shuffle. What reads the Conv reads the shuffle."""
    conv = conv_of(graph, node)
    assert conv is not None
    outputs, channels, *sides = conv.weight.shape
    reach = [side // 2 for side in sides]
    lows = [-(-r // scale) for r in reach]  # pixels of the small image to either side
    weight = np.zeros((scale, scale, outputs, channels, 2 * lows[0] + 1, 2 * lows[1] + 1))
    for p in range(scale):
        for q in range(scale):
            for i in range(sides[0]):
                for j in range(sides[1]):
                    place = (p + i - reach[0]) // scale + lows[0], (q + j - reach[1]) // scale + lows[1]
                    weight[p, q, :, :, place[0], place[1]] += conv.weight[:, :, i, j]
    flat = weight.reshape(scale**2 * outputs, *weight.shape[3:]).astype(np.float32)
    inputs = [x, graph.constant(flat, "weight")]
    if np.any(conv.bias):
        inputs.append(graph.constant(np.tile(conv.bias, scale**2).astype(np.float32), "bias"))
    made = graph.add("Conv", inputs, {"kernel_shape": list(flat.shape[2:]), "pads": [*lows, *lows]})
    shuffled = graph.add("DepthToSpace", [made], {"blocksize": scale, "mode": "DCR"})
    graph.replace(node.output, shuffled)
    return shuffled


def _by_matrices(graph: OnnxGraph, x: str, before: tuple[int, ...], rows: np.ndarray, columns: np.ndarray) -> str:
    """Two 1x1 Convs over an axis that takes the channels' place."""
    for axis, matrix in ((3, columns), (2, rows)):
        if np.array_equal(matrix, np.eye(len(matrix))):
            continue
        perm = [0, axis, 5 - axis, 1]
        turned = graph.add("Transpose", [x], {"perm": perm})
        weight = graph.constant(np.ascontiguousarray(matrix[:, :, None, None]), "resize")
        made = graph.add("Conv", [turned, weight], {"kernel_shape": [1, 1]})
        x = graph.add("Transpose", [made], {"perm": [perm.index(i) for i in range(4)]})
    return x


def lower_paddings(graph: OnnxGraph) -> int:
    """Padding of height and width by reflection, or with the edge: slices of one row or column, and Concats."""
    count = 0
    shapes = graph.shapes()
    for node in [n for n in graph.nodes if n.op == "Pad"]:
        mode, before = node.attrs.get("mode", "constant"), shapes.get(node.inputs[0], ())
        pads = graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if mode not in ("reflect", "edge") or len(before) != 4 or pads is None or pads.size != 8 or len([i for i in node.inputs[3:] if i]):
            continue
        low, high = pads.ravel()[:4].tolist(), pads.ravel()[4:].tolist()
        if any((*low[:2], *high[:2])) or min(*low, *high) < 0 or max(*low, *high) > min(_LARGEST_PAD, *(side - 1 for side in before[2:])):
            continue
        x = node.inputs[0]
        for axis in (2, 3):
            x = _padded_along(graph, x, axis, before[axis], low[axis], high[axis], mode)
        graph.replace(node.output, x)
        graph.tidy()
        count += 1
    return count


def _padded_by_slices(graph: OnnxGraph, x: str, before: tuple[int, ...], reach: int, mode: str) -> str:
    for axis in (2, 3):
        x = _padded_along(graph, x, axis, before[axis], reach, reach, mode)
    return x


def _padded_along(graph: OnnxGraph, x: str, axis: int, size: int, low: int, high: int, mode: str) -> str:
    """The tensor with `low` and `high` more rows (axis 2) or columns (axis 3)."""
    first = [i if mode == "reflect" else 0 for i in range(low, 0, -1)]
    last = [size - 1 - i if mode == "reflect" else size - 1 for i in range(1, high + 1)]
    # Those at the end are counted from the end.
    parts = [_slice(graph, x, axis, i) for i in first] + [x] + [_slice(graph, x, axis, i - size) for i in last]
    return graph.add("Concat", parts, {"axis": axis}) if len(parts) > 1 else x


def _slice(graph: OnnxGraph, x: str, axis: int, index: int) -> str:
    end = index + 1 if index != -1 else np.iinfo(np.int64).max
    start, stop, along = (graph.constant(np.array([value], np.int64), "slice") for value in (index, end, axis))
    return graph.add("Slice", [x, start, stop, along])
