"""Ranges of int8 tensors that hurt the picture least: rounding and clipping errors are weighed by what they do to the output.

The weights are those of `conversion.integer.sensitivity`. The error of a tensor that only a GELU reads is taken behind the GELU:
its lower end may go where nothing can be seen any more.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from conversion.integer.fake_quant import Ranges, fixed_ranges, nudged, range_groups
from conversion.integer.sensitivity import Trace, trace
from keras_models.graph import Graph

PRIOR = 0.02
BINS = 2048
SHRINKS = np.concatenate([np.linspace(0.1, 0.5, 9)[:-1], np.linspace(0.5, 1.0, 17)])


def find_ranges(graph: Graph, images: np.ndarray) -> Ranges:
    """Searches the (low, high) of every tensor; tensors that must share a range are searched together.

    Args:
        graph: float, centred and equalised.
        images: (N, H, W, 3) float32 in [0, 1].

    Returns:
        The range of every node.
    """
    return ranges_of(graph, trace(graph, images))


def ranges_of(graph: Graph, traced: Trace) -> Ranges:
    """As `find_ranges`, from what is known already."""
    ranges = fixed_ranges(graph)
    for group in range_groups(graph):
        if group[0] not in ranges:
            ranges |= dict.fromkeys(group, _range_of_group(graph, group, traced))
    return ranges


def _range_of_group(graph: Graph, group: list[str], traced: Trace) -> tuple[float, float]:
    members = [name for name in group if graph.nodes[name].op != "concatenate"] or group
    gelus = [graph.only_user(name) for name in members]
    through_gelu = all(user is not None and user.op == "gelu" for user in gelus)
    judges = [user.name for user in gelus] if through_gelu else members
    values = np.concatenate([traced.values[name].ravel() for name in members])
    weights = np.concatenate([traced.weights[name].ravel() for name in judges])
    return best_range(values, weights, gelu if through_gelu else None)


def best_range(values: np.ndarray, weights: np.ndarray, function: Callable[[np.ndarray], np.ndarray] | None = None) -> tuple[float, float]:
    """The range whose weighted quantization error, seen through `function`, is least on a histogram of the values.

    Args:
        values: any shape.
        weights: of their squared errors, the same shape.
        function: what reads the tensor, None for itself.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)
    # Weights are estimates from few probes and photos: a part of their mean keeps values that none of these felt.
    weights = weights + PRIOR * weights.mean()
    counts, edges = np.histogram(values, BINS, (low, high), weights=weights)
    x = ((edges[1:] + edges[:-1]) / 2)[counts > 0]
    counts = counts[counts > 0]
    truth = x if function is None else function(x)

    def error(a: float, b: float) -> float:
        scale, zero = nudged(low * a, high * b)
        y = (np.clip(np.round(x / scale) + zero, 0, 255) - zero) * scale
        return float(counts @ ((y if function is None else function(y)) - truth) ** 2)

    if low == 0.0:
        return low, high * min(SHRINKS, key=lambda b: error(1.0, b))
    a, b = min(((a, b) for a in SHRINKS for b in SHRINKS), key=lambda pair: error(*pair))
    return low * a, high * b


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact GELU, x Phi(x)."""
    return x * ndtr(x)
