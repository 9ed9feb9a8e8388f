"""The graph that survives 8 bits: exact rewrites of a deploy graph that keep wide-ranged values out of int8 tensors.

Each rewrite is a pattern that holds or is left alone; nothing knows a network. After them come the choices that need
images: centring and equalisation (`conversion.quantization.equalization`) and the ranges (`conversion.quantization.ranges`).
"""

import numpy as np

from conversion.graph.exact_rewrites import rewritten
from conversion.graph.half_range import measure_ranges, rescale
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR, OPS, missing_cell

PATCHES = "image_patches"
MAX_PATCH = 75  # a 5x5 convolution of RGB: channels of the copied patches, without the last


def int8_graph(graph: Graph, images: np.ndarray) -> Graph:
    """The rewritten graph of a network, before centring and equalisation.

    Args:
        graph: plain, of the deploy form; not changed.
        images: (N, h, w, 3) float32 in [0, 1], for the powers of two that bring every value to order one.

    Raises:
        ConversionError: an operation that has no int8 form.

    Returns:
        A graph of float32 weights without a clip at its end: its output's range, fixed to [0, 1], clips.
    """
    graph = rewritten(graph)
    graph = rescale(graph, measure_ranges(graph, [images]))
    drop_clip(graph)
    image_skip(graph)
    integer_forms(graph)
    free_addends(graph)
    return graph


def drop_clip(graph: Graph) -> None:
    """Takes the clip off the graph's end; the quantized output saturates at the same values."""
    if graph.output.op == "clip":
        graph.prune(graph.output.inputs[0])


def integer_forms(graph: Graph) -> None:
    """Writes operations without an integer kernel as ones that have it.

    Raises:
        ConversionError: an operation has neither.
    """
    for node in list(graph.nodes.values()):
        form = OPS[node.op].int8
        if form is None:
            raise missing_cell(node, "int8", "give recipe float16 or weight_only_int8")
        if callable(form):
            form(graph, node)


def free_addends(graph: Graph) -> None:
    """A tensor that convolutions read is added to one that cannot be scaled through a depthwise identity, and can be scaled then.

    Terms of a sum must have one scale a channel. Where one term is also read by an activation, its scale is one, and the
    other's would be. SPAN adds a block's input to a map that goes into a sigmoid.
    """
    for node in [n for n in graph.nodes.values() if n.op == "add"]:
        pinned = [any(OPS[user.op].scalar for user in graph.users(name)) for name in node.inputs]
        if pinned.count(True) != 1:
            continue
        free = node.inputs[pinned.index(False)]
        if graph.nodes[free].op == "input" or not any(user.op in LINEAR for user in graph.users(free)):
            continue
        channels = graph.nodes[free].shape[-1]
        identity = {"kernel": np.ones((1, 1, channels, 1), np.float32)}
        copy = Node(f"{node.name}.addend", "depthwise_conv2d", {"dilation": 1}, identity, [free], graph.nodes[free].shape)
        graph.insert_before(node, copy)
        node.inputs = [copy.name if name == free else name for name in node.inputs]


def image_skip(graph: Graph) -> None:
    """`up(x + head(image))` becomes `up(x) + skip(patches)`: the picture no longer passes through rounded feature maps.

    Holds where the last convolution reads a sum of which one term is a convolution of the image, both dense. `patches`
    copies the image's pixels around each pixel into channels, which costs no rounding, as they keep the image's range.
    The composition would also fit one larger convolution of the image, but that is wrong along the border, where
    head(image) is padded with zeros: by 30 grey levels on average in the outermost ring of LKDN-S.
    """
    up = graph.output
    while up.op == "depth_to_space":
        up = graph.nodes[up.inputs[0]]
    total = graph.nodes[up.inputs[0]] if up.inputs else up
    if up.op != "conv2d" or total.op != "add" or graph.only_user(total.name) is not up:
        return
    heads = [graph.nodes[name] for name in total.inputs if _is_head(graph, graph.nodes[name])]
    if len(heads) != 1 or up.attrs.get("dilation", 1) != 1:
        return
    head = heads[0]
    rest = next(name for name in total.inputs if name != head.name)
    copies = Node(PATCHES, "conv2d", {"dilation": 1}, patch_kernel(head), list(head.inputs))
    copies.shape = (*head.shape[:3], copies.weights["kernel"].shape[-1])
    weights = {"kernel": skip_kernel(head, up)} | {key: up.weights[key] for key in ("bias",) if key in up.weights}
    skip = Node("image_skip", "conv2d", {"dilation": 1}, weights, [copies.name], up.shape)
    residual = Node(f"{up.name}.residual", "conv2d", dict(up.attrs), {"kernel": up.weights["kernel"]}, [rest], up.shape)
    for node in (copies, skip, residual):
        graph.insert_before(up, node)
    up.op, up.attrs, up.weights, up.inputs = "add", {}, {}, [residual.name, skip.name]
    for user in graph.users(head.name):
        if user.op == "conv2d" and user.weights["kernel"].shape[:2] == (1, 1):
            _read_patches(user, head, copies)
    order = [copies.name, *(name for name in graph.nodes if name != copies.name)]
    image = next(name for name in order if graph.nodes[name].op == "input")
    graph.nodes = {name: graph.nodes[name] for name in [image, *(name for name in order if name != image)]}
    graph.prune(graph.output.name)


def _read_patches(user: Node, head: Node, copies: Node) -> None:
    """A 1x1 convolution of the head's output becomes one of the patches, which are not rounded: exact, as it pads nothing."""
    kernel = user.weights["kernel"][0, 0].astype(np.float64)
    taps = head.weights["kernel"].astype(np.float64).reshape(-1, len(kernel))
    bias = head.weights.get("bias", np.zeros(len(kernel))) @ kernel + user.weights.get("bias", 0.0)
    joint = np.concatenate([taps @ kernel, np.zeros((1, kernel.shape[1]))])
    user.weights = {"kernel": joint[None, None].astype(np.float32), "bias": bias.astype(np.float32)}
    user.inputs = [copies.name]


def _is_head(graph: Graph, node: Node) -> bool:
    dense = node.op == "conv2d" and node.attrs.get("dilation", 1) == 1 and graph.nodes[node.inputs[0]].op == "input"
    return dense and node.weights["kernel"][..., 0].size <= MAX_PATCH


def patch_kernel(head: Node) -> dict[str, np.ndarray]:
    """A convolution of `head`'s size that copies each of its taps into a channel; the last one is 1 - the middle tap.

    The copy and its complement sum to one inside the image and to zero outside: where head's bias ends, at the border.
    """
    height, width, channels = head.weights["kernel"].shape[:3]
    taps = height * width * channels
    kernel = np.zeros((taps, taps + 1), np.float32)
    kernel[:, :taps] = np.eye(taps)
    kernel[_middle(head), taps] = -1
    bias = np.zeros(taps + 1, np.float32)
    bias[taps] = 1
    return {"kernel": kernel.reshape(height, width, channels, taps + 1), "bias": bias}


def skip_kernel(head: Node, up: Node) -> np.ndarray:
    """The kernel of `up` after `head` on the channels that `patch_kernel` makes, summed in float64."""
    first = head.weights["kernel"].astype(np.float64)
    taps = first.reshape(-1, first.shape[-1])
    bias = head.weights.get("bias", np.zeros(first.shape[-1])).astype(np.float64)
    both = np.concatenate([taps, bias[None]])
    both[_middle(head)] += bias
    return np.einsum("tm,hwmo->hwto", both, up.weights["kernel"].astype(np.float64)).astype(np.float32)


def _middle(head: Node) -> int:
    height, width, channels = head.weights["kernel"].shape[:3]
    return (height // 2 * width + width // 2) * channels
