"""Chains of sixty operations with a fault planted in one of them, which single precision does not notice."""

import numpy as np

from support.gpu_op_models import Net

MAP = (1, 16, 16, 8)
LENGTH = 60
_conv = {"options": "Conv2D", "padding": 0, "strideW": 1, "strideH": 1, "out": MAP}


def chain(path, fault=None, plant=None):
    """A file of convolutions, additions, sigmoids and products; `plant(net, x)` adds the operation number `fault` (and perhaps one
    that undoes it), so that single precision goes on as if nothing had been.
    """  # fmt: skip
    rng = np.random.default_rng(0)
    net = Net(MAP)
    x, turn = net.x, 0
    while len(net.graph.operators) < LENGTH:
        if plant is not None and len(net.graph.operators) == fault:
            x, plant = plant(net, x), None
            continue
        x = _plain(net, x, turn % 4, rng)
        turn += 1
    net.write(path, x)
    return path


def _plain(net, x, kind, rng):
    if kind == 0:
        return net.op("CONV_2D", x, (rng.normal(size=(8, 3, 3, 8)) * 0.15).astype(np.float32), np.zeros(8, np.float32), **_conv)
    if kind == 2:
        return net.op("LOGISTIC", x)
    vector = (rng.random(8) + 0.5).astype(np.float32)
    return net.op("ADD", x, vector, options="Add") if kind == 1 else net.op("MUL", x, vector, options="Mul")


def overflow(net, x):
    """A product that reaches 1e5 and more, and the one that undoes it."""
    return net.op("MUL", net.op("MUL", x, np.float32(3e5), options="Mul"), np.float32(1 / 3e5), options="Mul")


def nothing_by_nothing(net, x):
    """Where x is negative 1e-9 / 1e-9, which is 1 in single precision and 0/0 in half; the division is the fourth operation."""
    positive = net.op("RELU", x)
    above = net.op("ADD", positive, np.float32(1e-9), options="Add")
    return net.op("DIV", above, net.op("MAXIMUM", positive, np.float32(1e-9), options="MaximumMinimum"), options="Div")


def underflow(net, x):
    """Two products that lead below half's range, and one that leads back."""
    tiny = net.op("MUL", net.op("MUL", x, np.float32(1e-5), options="Mul"), np.float32(1e-5), options="Mul")
    return net.op("MUL", tiny, np.float32(1e10), options="Mul")


def cancellation(net, x):
    """1000 added and taken away: of x are left steps of 0.5."""
    return net.op("SUB", net.op("ADD", x, np.float32(1000), options="Add"), np.float32(1000), options="Sub")


def exponential(net, x):
    """exp(12), and a product by 1e-5; the exponential is the third operation."""
    large = net.op("EXP", net.op("ADD", net.op("MUL", x, np.float32(0), options="Mul"), np.float32(12), options="Add"))
    return net.op("MUL", large, np.float32(1e-5), options="Mul")
