"""A small float network and the 8-bit file of it, written with the schema: every scale is the test's own."""

import numpy as np

from support.gpu_op_models import SAME, Net
from support.int8_nets import Int8Net

SIDE, CHANNELS, LAYERS = 8, 8, 6
_conv = {"options": "Conv2D", "padding": SAME, "strideW": 1, "strideH": 1}


def twins(folder, scales=None, weights=None, names=True):
    """(8-bit file, float file) of three pairs of a convolution and an addition.

    Args:
        scales: number of a result -> factor that its scale is wrong by.
        weights: number of a result -> factor that the scale of its convolution's weights is wrong by.
        names: give the tensors of the 8-bit file the names that they have in float.
    """
    rng = np.random.default_rng(1)
    kernels = [rng.normal(size=(CHANNELS, 1, 1, 3 if not n else CHANNELS)).astype(np.float32) * 0.5 for n in range(LAYERS // 2)]
    image = rng.random((1, SIDE, SIDE, 3), dtype=np.float32)
    net, ranges = _float(kernels, image)
    net.write(folder / "float.tflite", net.last)
    small = _int8(kernels, ranges, scales or {}, weights or {}, names)
    small.write(folder / "int8.tflite", small.last)
    return folder / "int8.tflite", folder / "float.tflite"


def _float(kernels, image):
    net = Net((1, SIDE, SIDE, 3))
    x, value, ranges = net.x, image, []
    for number, kernel in enumerate(kernels):
        before, out = x, (1, SIDE, SIDE, CHANNELS)
        x = net.op("CONV_2D", x, kernel, np.zeros(CHANNELS, np.float32), out=out, **_conv)
        made = value @ kernel[:, 0, 0].T
        ranges.append((made.min(), made.max()))
        net.graph.tensors[x].name = f"conv{number}"
        right = before if number else x
        x = net.op("ADD", x, right, out=out, options="Add")
        value = made + (value if number else made)
        ranges.append((value.min(), value.max()))
        net.graph.tensors[x].name = f"sum{number}"
    net.last = x
    return net, ranges


def _int8(kernels, ranges, scales, weights, names):
    net = Int8Net(SIDE)
    x = net.x

    def result(number):
        low, high = (min(ranges[number][0], 0), max(ranges[number][1], 0))
        scale = (high - low) / 255
        return {"scale": scale * scales.get(number, 1), "zero": int(np.clip(round(-128 - low / scale), -128, 127))}

    for number, kernel in enumerate(kernels):
        before, conv, out = x, result(2 * number), (1, SIDE, SIDE, CHANNELS)
        fine = float(np.abs(kernel).max() / 127)
        stored = net.constant8(np.round(kernel / fine), fine * weights.get(2 * number, 1))
        bias = net._constant(np.zeros(CHANNELS, np.int32))
        x = net.op8("CONV_2D", x, stored, bias, **conv, out=out, version=3, **_conv)
        net.graph.tensors[x].name = f"conv{number}" if names else ""
        right = before if number else x
        x = net.op8("ADD", x, right, **result(2 * number + 1), out=out, options="Add")
        net.graph.tensors[x].name = f"sum{number}" if names else ""
    net.last = x
    return net
