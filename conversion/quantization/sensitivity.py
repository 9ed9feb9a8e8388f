"""How much the picture suffers from an error in each tensor: values of a graph and the weights of their squared errors.

The weight of an element t is the sum over output samples o of (do / dt)^2, so the expected squared error of the output
for independent errors e_t is the sum of weight * e_t^2. It is estimated without bias from random signs v: the expectation
of (d(v . output) / dt)^2 (Hutchinson's estimator).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from conversion.graph.ir import Graph

PROBES = 2


@dataclass(frozen=True)
class Trace:
    """Values of a graph on some images.

    Attributes:
        values: node name -> (N, H, W, C) float32.
        weights: node name -> (N, H, W, C) float32, weights of squared errors; the output is in [0, 1].
    """

    values: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]


def trace(graph: Graph, images: np.ndarray, probes: int = PROBES, seed: int = 0) -> Trace:
    """Runs the float graph forwards and backwards.

    Args:
        graph: any, without fake_quant nodes.
        images: (N, H, W, 3) float32 in [0, 1].
        probes: random sign vectors per image.
        seed: of the signs.
    """
    one_by_one = list(traces(graph, images, probes, seed))
    return Trace(
        {name: np.concatenate([one.values[name] for one in one_by_one]) for name in graph.nodes},
        {name: np.concatenate([one.weights[name] for one in one_by_one]) for name in graph.nodes},
    )


def traces(graph: Graph, images: np.ndarray, probes: int = PROBES, seed: int = 0) -> Iterator[Trace]:
    """As `trace`, an image at a time: of many images only one is in memory."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    for image in images:
        with tf.GradientTape(persistent=True) as tape:
            pixels = tf.constant(image[None])
            tape.watch(pixels)
            run = graph.run(pixels)
            out = run[graph.output.name]
            sums = [tf.reduce_sum(out * rng.choice(np.array([-1, 1], np.float32), out.shape)) for _ in range(probes)]
        names = list(run)
        gradients = [tape.gradient(s, [run[name] for name in names]) for s in sums]
        weights = {name: np.mean([np.square(g[index].numpy()) for g in gradients], axis=0) for index, name in enumerate(names)}
        yield Trace({name: value.numpy() for name, value in run.items()}, weights)
