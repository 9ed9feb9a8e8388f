"""The graph that survives 8 bits: exact rewrites of a deploy graph that keep wide-ranged values out of int8 tensors.

Each rewrite is a pattern that holds or is left alone; nothing knows a network. After them come the choices that need
images: centring and equalisation (`conversion.quantization.equalization`) and the ranges (`conversion.quantization.ranges`).
"""

import keras
import numpy as np

from conversion.graph.exact_rewrites import deploy_graph
from conversion.graph.half_range import measure_ranges, rescale
from conversion.graph.ir import Graph, Node

LINEAR = ("conv2d", "depthwise_conv2d")
PATCHES = "image_patches"
MAX_PATCH = 75  # a 5x5 convolution of RGB: channels of the copied patches, without the last


def int8_graph(model: keras.Model, height: int, width: int, images: np.ndarray) -> Graph:
    """The rewritten graph of a network, before centring and equalisation.

    Args:
        model: deploy form.
        height: low-resolution pixels.
        width: low-resolution pixels.
        images: (N, h, w, 3) float32 in [0, 1], for the powers of two that bring every value to order one.

    Returns:
        A graph of float32 weights without a clip at its end: its output's range, fixed to [0, 1], clips.
    """
    graph = deploy_graph(model, height, width)
    graph = rescale(graph, measure_ranges(graph, [images]))
    drop_clip(graph)
    image_skip(graph)
    norms_to_products(graph)
    return graph


def drop_clip(graph: Graph) -> None:
    """Takes the clip off the graph's end; the quantized output saturates at the same values."""
    if graph.output.op == "clip":
        graph.prune(graph.output.inputs[0])


def norms_to_products(graph: Graph) -> None:
    """A pixel norm becomes x * rsqrt(energy) and a depthwise 1x1 convolution; energy is a 1x1 convolution of x * x.

    Every step can have a scale of its own for each channel, which L2_NORMALIZATION cannot: its integer kernel gives steps
    of 1/128, and the inputs of LKDN's norms are one constant direction to 99 %, so that what varies between pixels is
    two such steps wide. An input that is not centred yet is centred by a 1x1 convolution.
    """
    for node in list(graph.nodes.values()):
        if node.op != "pixel_norm":
            continue
        channels = node.shape[-1]
        one = (*node.shape[:-1], 1)
        source = node.inputs[0]
        if not node.attrs["centred"]:
            kernel = (np.eye(channels) - 1 / channels).astype(np.float32)[None, None]
            source = _before(graph, node, "centre", "conv2d", [source], node.shape, {"kernel": kernel})
        square = _before(graph, node, "square", "multiply", [source, source], node.shape)
        mean = {"kernel": np.full((1, 1, channels, 1), 1 / channels, np.float32), "bias": np.array([node.attrs["epsilon"]], np.float32)}
        energy = _before(graph, node, "energy", "conv2d", [square], one, mean)
        inverse = _before(graph, node, "rsqrt", "rsqrt", [energy], one)
        unit = _before(graph, node, "unit", "multiply", [source, inverse], node.shape)
        node.op, node.attrs, node.inputs = "depthwise_conv2d", {"dilation": 1}, [unit]
        node.weights = {"kernel": node.weights["gamma"].reshape(1, 1, channels, 1), "bias": node.weights["beta"]}


def _before(graph: Graph, node: Node, part: str, op: str, inputs: list[str], shape: tuple, weights: dict | None = None) -> str:
    """Puts a new operation before a node and gives its name, the node's with `part` behind it."""
    new = Node(f"{node.name}.{part}", op, {"dilation": 1} if weights else {}, weights or {}, inputs, shape)
    graph.insert_before(node, new)
    return new.name


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
