"""Weights on the int8 grid with the least error of each layer's output, given the quantized inputs that the layer will see.

Rounding to nearest ignores that errors of several weights can cancel. Here the weights are first fitted to the float
layer's output (ridge regression towards the float weights: the fit also makes up for errors of the layers before), then
rounded one input at a time, the rounding error being spread over the inputs not rounded yet (Frantar et al., "GPTQ",
ICLR 2023, algorithm 1 without blocks). The bias takes the mean error (bias correction).
"""

from collections.abc import Mapping

import numpy as np

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import LINEAR, value_of
from conversion.quantization.fake_quant import Ranges, with_fake_quant
from conversion.quantization.int8_graph import PATCHES

ROWS = (6144, 48, 16384)  # pixels that a layer is fitted on: at least, for each input of one output, at most
RIDGE = 3e-3  # pull towards the float weights, in units of the inputs' mean energy
DAMPING = 1e-4  # of the Hessian's mean diagonal
LEVELS = 127
PRIOR = 0.1  # of the mean weight of squared errors, added: weights are estimates

Sensitivity = Mapping[str, np.ndarray]


def rounded(graph: Graph, ranges: Ranges, images: np.ndarray, sensitivity: Sensitivity | None = None) -> Graph:
    """The graph with every kernel on the grid q * s, |q| <= 127, s = largest magnitude of the output channel / 127.

    Args:
        graph: float weights, centred and equalised; not changed.
        ranges: of its tensors.
        images: (N, H, W, 3) float32 in [0, 1].
        sensitivity: node name -> (N, H, W, C) weights of the squared errors of that node's values; None counts all alike.
    """
    simulated = with_fake_quant(graph, ranges)
    exact: dict[str, object] = {}
    coarse: dict[str, object] = {}
    last_use = {i: node.name for node in simulated.nodes.values() for i in node.inputs}
    rng = np.random.default_rng(0)
    for node in simulated.nodes.values():
        name = node.name
        if node.op == "input":
            exact[name] = coarse[name] = images
            continue
        if node.op == "fake_quant":
            exact[name] = exact[node.inputs[0]]
        else:
            exact[name] = value_of(node, *(exact[i] for i in node.inputs))
        if node.op in LINEAR and name != PATCHES:
            weight = None if sensitivity is None else sensitivity[name]
            _round_node(node, np.asarray(coarse[node.inputs[0]]), np.asarray(exact[name]), weight, rng)
        coarse[name] = value_of(node, *(coarse[i] for i in node.inputs))
        for used in set(node.inputs):
            if last_use[used] == name:
                del exact[used], coarse[used]
    result = graph.copy()
    for name, node in result.nodes.items():
        node.weights = simulated.nodes[name].weights
    return result


def _round_node(node: Node, inputs: np.ndarray, target: np.ndarray, weight: np.ndarray | None, rng: np.random.Generator) -> None:
    """Replaces the node's kernel and bias.

    Args:
        node: dense or depthwise convolution.
        inputs: (N, H, W, I), quantized.
        target: (N, H, W, O), of the float network.
        weight: (N, H, W, O) of squared errors, or None.
        rng: chooses the pixels.
    """
    taps = np.prod(node.weights["kernel"].shape[: 2 if node.op == "depthwise_conv2d" else 3])
    rows = np.clip(ROWS[1] * taps, ROWS[0], ROWS[2])
    pixels = np.sort(rng.permutation(inputs[..., 0].size)[:rows])
    patches = _patches(inputs, node, pixels)
    wanted = target.reshape(-1, target.shape[-1])[pixels].astype(np.float64)
    weights = np.ones((len(pixels), 1)) if weight is None else weight.reshape(-1, weight.shape[-1])[pixels].astype(np.float64)
    weights = weights / np.maximum(weights.mean(axis=0), 1e-30) + PRIOR
    kernel = node.weights["kernel"].astype(np.float64)
    depthwise = node.op == "depthwise_conv2d"
    # One problem for each output channel of a depthwise convolution, one for all of a dense one: x (M, K), y (M, O), w (M,).
    if depthwise:
        problems = [
            (patches[..., c], wanted[:, c : c + 1], weights[:, c % weights.shape[1]], kernel[:, :, c, :].reshape(-1, 1))
            for c in range(kernel.shape[2])
        ]
    else:
        problems = [(patches, wanted, weights.mean(axis=1), kernel.reshape(-1, kernel.shape[-1]))]
    grid, bias = zip(*(_fit(*problem) for problem in problems))
    kernel = np.concatenate(grid, axis=1).reshape(kernel.shape)
    node.weights = {"kernel": kernel.astype(np.float32), "bias": np.concatenate(bias).astype(np.float32)}


def _patches(inputs: np.ndarray, node: Node, pixels: np.ndarray) -> np.ndarray:
    """What the kernel sees at the pixels: (M, taps * I) for a dense convolution, (M, taps, I) for a depthwise one."""
    height, width = node.weights["kernel"].shape[:2]
    dilation = node.attrs.get("dilation", 1)
    top, left = dilation * (height // 2), dilation * (width // 2)
    padded = np.pad(inputs, ((0, 0), (top, top), (left, left), (0, 0)))
    n, y, x = np.unravel_index(pixels, inputs.shape[:3])
    taps = [padded[n, y + dilation * i, x + dilation * j] for i in range(height) for j in range(width)]
    if node.op == "depthwise_conv2d":
        return np.stack(taps, axis=1)
    return np.concatenate(taps, axis=1)


def _fit(x: np.ndarray, y: np.ndarray, w: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grid weights (K, O) and bias (O,) of one least-squares problem: x (M, K) inputs, y (M, O) wanted, w (M,), start (K, O)."""
    share = w / w.sum()
    x = x.astype(np.float64)
    x_mean, y_mean = share @ x, share @ y
    centred = x - x_mean
    hessian = centred.T @ (centred * share[:, None])
    energy = max(np.trace(hessian) / len(hessian), 1e-20)
    damped = hessian + RIDGE * energy * np.eye(len(hessian))
    fitted = np.linalg.solve(damped, centred.T @ ((y - y_mean) * share[:, None]) + RIDGE * energy * start)
    grid = round_to_grid(fitted, hessian + DAMPING * energy * np.eye(len(hessian)))
    return grid, y_mean - x_mean @ grid


def round_to_grid(weights: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """GPTQ: weights (K, O) float64 to multiples of their columns' steps, each column's largest staying exactly at 127 steps.

    Args:
        weights: to be rounded.
        hessian: (K, K), positive definite, second moments of the inputs.
    """
    step = np.maximum(np.abs(weights).max(axis=0), 1e-12) / LEVELS
    largest = np.abs(weights).argmax(axis=0)
    order = np.argsort(-np.diag(hessian))
    factor = np.linalg.cholesky(np.linalg.inv(hessian[np.ix_(order, order)])).T  # upper: row k says how errors spread
    rest, grid = weights[order].copy(), np.empty_like(weights)
    for k, row in enumerate(order):
        q = np.clip(np.round(rest[k] / step), -LEVELS, LEVELS)
        q = np.where(largest == row, np.sign(weights[row]) * LEVELS, q)
        grid[row] = q * step
        rest[k + 1 :] -= np.outer(factor[k, k + 1 :] / factor[k, k], rest[k] - grid[row])
    return grid
