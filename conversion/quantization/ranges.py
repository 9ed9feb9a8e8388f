"""Ranges of int8 tensors that hurt the picture least: rounding and clipping errors are weighed by what they do to the output.

The weights are those of `conversion.quantization.sensitivity`. The error of a tensor that only one activation reads (a GELU)
is taken behind it: its lower end may go where nothing can be seen any more.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from conversion.graph.ir import Graph
from conversion.graph.ops import OPS
from conversion.quantization.fake_quant import STEPS, Ranges, fixed_ranges, nudged, range_groups
from conversion.quantization.sensitivity import Trace, traces

PRIOR = 0.02
BINS = 2048
SHRINKS = np.concatenate([np.linspace(0.1, 0.5, 9)[:-1], np.linspace(0.5, 1.0, 17)])
CLIPPED = 4.0
"""How often an error by clipping counts: rare detail clips, and photos that nobody calibrated on hold more of it (docs/int8.md)."""


def find_ranges(graph: Graph, images: np.ndarray) -> Ranges:
    """Searches the (low, high) of every tensor; tensors that must share a range are searched together.

    Args:
        graph: float, centred and equalised.
        images: (N, H, W, 3) float32 in [0, 1]; only one at a time is traced, so they may be many.

    Returns:
        The range of every node.
    """
    ranges = fixed_ranges(graph)
    groups = [_Group(graph, names) for names in range_groups(graph) if names[0] not in ranges]
    for image in images:
        values = graph.run(image[None])
        for group in groups:
            group.widen(values)
    for traced in traces(graph, images):
        for group in groups:
            group.count(traced)
    for group in groups:
        ranges |= dict.fromkeys(group.names, group.best())
    return ranges


class _Group:
    """Histograms of tensors that share a range, taken image by image: of the values, and of these weighted by their errors' weights."""

    def __init__(self, graph: Graph, names: list[str]) -> None:
        self.names = names
        self.members = [name for name in names if graph.nodes[name].op != "concatenate"] or names
        readers = [user for user in map(graph.only_user, self.members) if user is not None]
        alike = len(readers) == len(self.members) and len({(user.op, str(user.attrs)) for user in readers}) == 1
        scalar = OPS[readers[0].op].scalar if alike else None
        self.function = None if scalar is None else partial(scalar, readers[0])
        self.judges = self.members if scalar is None else [user.name for user in readers]
        self.low, self.high = 0.0, 1e-6
        self.counts = np.zeros((2, BINS))

    def widen(self, values: Mapping[str, object]) -> None:
        for name in self.members:
            value = np.asarray(values[name])
            self.low, self.high = min(self.low, float(value.min())), max(self.high, float(value.max()))

    def count(self, traced: Trace) -> None:
        for member, judge in zip(self.members, self.judges):
            self.counts += histograms(traced.values[member], traced.weights[judge], (self.low, self.high))

    def best(self) -> tuple[float, float]:
        return best_range(self.counts, (self.low, self.high), self.function)


def histograms(values: np.ndarray, weights: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """How often values lie in each of `BINS` bins between `ends`, and the sums of their weights: (2, BINS) float64."""
    values = values.ravel()
    return np.stack([np.histogram(values, BINS, ends, weights=w)[0] for w in (None, weights.ravel())])


def best_range(
    counts: np.ndarray, ends: tuple[float, float], function: Callable[[np.ndarray], np.ndarray] | None = None
) -> tuple[float, float]:
    """The range whose weighted quantization error, seen through `function`, is least.

    Args:
        counts: of `histograms`.
        ends: of the histograms, low <= 0 < high.
        function: what reads the tensor, None for itself.
    """
    low, high = ends
    numbers, weighted = counts
    # Weights are estimates from few probes and photos: a part of their mean keeps values that none of these felt.
    weighted = weighted + PRIOR * weighted.sum() / numbers.sum() * numbers
    edges = np.linspace(low, high, BINS + 1)
    x = ((edges[1:] + edges[:-1]) / 2)[weighted > 0]
    weighted = weighted[weighted > 0]
    truth = x if function is None else function(x)

    def error(a: float, b: float) -> float:
        scale, zero = nudged(low * a, high * b)
        level = np.round(x / scale) + zero
        y = (np.clip(level, 0, STEPS) - zero) * scale
        counted = np.where((level < 0) | (level > STEPS), CLIPPED, 1.0) * weighted
        return float(counted @ ((y if function is None else function(y)) - truth) ** 2)

    if low == 0.0:
        return low, high * min(SHRINKS, key=lambda b: error(1.0, b))
    a, b = min(((a, b) for a in SHRINKS for b in SHRINKS), key=lambda pair: error(*pair))
    return low * a, high * b
