"""What was measured of the engines and what rewrites of any kind of graph rely on."""

from math import isfinite, log2

MAX_CONCATENATION = 5
"""XNNPACK takes CONCATENATION of two to five inputs; a longer one would split the graph."""

THIN_CHANNELS = 4
"""A 1x1 of so few inputs costs less merged into the convolution behind it, although that multiplies more: it saves a pass."""

HALF_TARGET = 16.0
"""Largest magnitude that a rescaled intermediate is given: 4000 times below half precision's limit, and its square, summed over
56 channels, still fits."""


def scale_to_target(largest: float) -> float:
    """The power of two that brings a magnitude nearest to `HALF_TARGET`; 1 for zero or what is not finite."""
    return 2.0 ** round(log2(HALF_TARGET / largest)) if largest > 0 and isfinite(largest) else 1.0
