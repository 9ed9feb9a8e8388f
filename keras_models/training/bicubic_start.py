"""A head start for training: initial weights with which the untrained network is bicubic upscaling.

Plain training spends its first hundreds of steps on finding out how to enlarge at all. Here 27 channels of the head copy
the nine shifted taps of R, G and B, the long skip carries them past the trunk, and the last 3x3 convolution holds the 5x5
bicubic phase kernels, each spread evenly over the pairs (shift in the head, tap in the last convolution) that reach a
pixel. What else writes into that path is made small. Only initial weights change, never the topology.
"""

import keras
import numpy as np

from keras_models.data.bicubic import resize_matrix
from keras_models.system.errors import TrainingError

TAPS = 27
SHRINK_OTHERS = 0.1
SHRINK_TRUNK = 0.1


def head_start(network: keras.Model) -> None:
    """Changes a network's initial weights in place.

    Args:
        network: freshly built, either form, with `long_skip`: the names of three layers, of which the third reads the sum of
            the first two, (head, end of the trunk, last). The head is a 3x3 Conv2D or a BSConvU of the image.

    Raises:
        TrainingError: the network names no such layers, or has fewer than 27 features.
    """
    names = getattr(network, "long_skip", None)
    if names is None:
        raise TrainingError(f"{network.name}: no head start is known for this network: leave it out (`no_head_start`)")
    head, trunk, last = (network.get_layer(name) for name in names)
    features = head.output.shape[-1]
    if features < TAPS:
        raise TrainingError(f"{network.name}: {features} features, a head start needs {TAPS}: leave it out (`no_head_start`)")
    if hasattr(head, "pw"):
        _copy_shifted_taps(head.pw, head.dw)
    else:
        _copy_shifted_taps_dense(head)
    trunk = getattr(trunk, "dw", trunk)
    trunk.set_weights([SHRINK_TRUNK * w for w in trunk.get_weights()])
    _hold_bicubic(last, network.scale)


def bicubic_phases(scale: int) -> np.ndarray:
    """(scale, 5) weights of one axis: output phase by low-resolution offset -2..2; every row sums to 1."""
    middle = 8
    rows = resize_matrix(2 * middle + 1, scale, "mirror").toarray()[middle * scale : (middle + 1) * scale]
    return rows[:, middle - 2 : middle + 3]


def _copy_shifted_taps(pw: keras.layers.Layer, dw: keras.layers.Layer) -> None:
    """Channel 9 c + 3 y + x of the head becomes colour c at offset (y - 1, x - 1)."""
    (point,), (depth, bias) = pw.get_weights(), dw.get_weights()
    point, depth, bias = SHRINK_OTHERS * point, depth.copy(), bias.copy()
    point[..., :TAPS], depth[:, :, :TAPS], bias[:TAPS] = 0, 0, 0
    copies = point.shape[2] // 3
    for channel in range(TAPS):
        colour, y, x = channel // 9, channel // 3 % 3, channel % 3
        point[0, 0, colour::3, channel] = 1 / copies
        depth[y, x, channel, 0] = 1
    pw.set_weights([point])
    dw.set_weights([depth, bias])


def _copy_shifted_taps_dense(conv: keras.layers.Layer) -> None:
    """The same for a 3x3 convolution."""
    kernel, bias = (SHRINK_OTHERS * w for w in conv.get_weights())
    kernel[..., :TAPS], bias[:TAPS] = 0, 0
    for channel in range(TAPS):
        kernel[channel // 3 % 3, channel % 3, channel // 9, channel] = 1
    conv.set_weights([kernel, bias])


def _hold_bicubic(upsampler: keras.layers.Layer, scale: int) -> None:
    """Makes the (folded) 3x3 convolution before the shuffle bicubic on the head's taps, its own small noise on the rest."""
    last = upsampler.conv3 if hasattr(upsampler, "fold") else getattr(upsampler, "conv", upsampler)
    kernel, bias = last.get_weights()
    folded, folded_bias = upsampler.fold() if hasattr(upsampler, "fold") else (kernel, bias)
    wanted = SHRINK_OTHERS / 2 * folded
    wanted[:, :, :TAPS] = _tap_kernel(scale)
    last.set_weights([kernel + (wanted - folded), bias - folded_bias])


def _tap_kernel(scale: int) -> np.ndarray:
    """(3, 3, 27, 3 scale^2): bicubic as a 3x3 convolution of shifted copies, filters in depth-to-space order."""
    pairs = np.array([1, 2, 3, 2, 1])  # how many (shift, tap) pairs reach each offset
    share = bicubic_phases(scale) / pairs
    axis = np.array([[share[:, tap + shift] for shift in range(3)] for tap in range(3)])  # (tap, shift, phase)
    kernel = np.zeros((3, 3, 3, 3, 3, scale, scale, 3))  # tap y, x; colour, shift y, x; phase y, x; colour
    for colour in range(3):
        kernel[:, :, colour, :, :, :, :, colour] = np.einsum("aip,bjq->abijpq", axis, axis)
    return kernel.reshape(3, 3, TAPS, 3 * scale**2)
