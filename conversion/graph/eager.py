"""What operations compute, in Keras' operations: eager on arrays and tensors, symbolic while a model is built.

`run` forms take a node and its inputs; `layer` forms build stock layers, whose weights the converter sees as constants.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from conversion.graph.ir import Node


def conv(node: Node, x: Any) -> Any:
    """A stride-1 "same" convolution, dense or depthwise."""
    convolve = ops.depthwise_conv if node.op == "depthwise_conv2d" else ops.conv
    y = convolve(x, node.weights["kernel"], padding="same", dilation_rate=node.attrs.get("dilation", 1))
    return y + node.weights["bias"] if "bias" in node.weights else y


def conv_layer(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    """The same as a stock layer."""
    kernel = node.weights["kernel"]
    options = {**_same_options(node), "dilation_rate": node.attrs.get("dilation", 1)}
    if node.op == "depthwise_conv2d":
        return _with_weights(keras.layers.DepthwiseConv2D(kernel.shape[:2], **options), node, x)
    return _with_weights(keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options), node, x)


def strided_conv(node: Node, x: Any) -> Any:
    """A dense convolution with strides or without padding."""
    y = ops.conv(x, node.weights["kernel"], strides=tuple(node.attrs["strides"]), padding=node.attrs["padding"])
    return y + node.weights["bias"] if "bias" in node.weights else y


def strided_conv_layer(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    """The same as a stock layer."""
    kernel = node.weights["kernel"]
    options = {**_same_options(node), "padding": node.attrs["padding"], "strides": tuple(node.attrs["strides"])}
    return _with_weights(keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options), node, x)


def conv_transpose(node: Node, x: Any) -> Any:
    """A "same" transposed convolution; its kernel is (h, w, out, in)."""
    y = ops.conv_transpose(x, node.weights["kernel"], strides=node.attrs["stride"], padding="same")
    return y + node.weights["bias"] if "bias" in node.weights else y


def conv_transpose_layer(node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    """The same as a stock layer."""
    kernel = node.weights["kernel"]
    options = {**_same_options(node), "strides": node.attrs["stride"]}
    return _with_weights(keras.layers.Conv2DTranspose(kernel.shape[2], kernel.shape[:2], **options), node, x)


def _same_options(node: Node) -> dict[str, Any]:
    return {"padding": "same", "use_bias": "bias" in node.weights, "name": node.name.replace("/", ".")}


def _with_weights(layer: keras.layers.Layer, node: Node, x: keras.KerasTensor) -> keras.KerasTensor:
    y = layer(x)
    layer.set_weights([node.weights[key] for key in ("kernel", "bias") if key in node.weights])
    return y


def norm(node: Node, x: Any) -> Any:
    """Pixel norm. Multiplying by rsqrt of the mean square is the fastest of the exact forms on XNNPACK."""
    if not node.attrs["centred"]:  # a centred input saves two operations more
        x = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
    y = x * ops.rsqrt(variance + np.float32(node.attrs["epsilon"]))
    return y * node.weights["gamma"] + node.weights["beta"]


def contrast(node: Node, x: Any) -> Any:
    """Mean plus standard deviation of each channel over the image."""
    mean = image_mean(x)
    centred = x - mean
    return mean + ops.sqrt(image_mean(centred * centred) + np.float32(node.attrs["epsilon"]))


def image_mean(x: Any) -> Any:
    """Rows first, then columns: in half precision a sum over a whole map of thousands of pixels would lose its small addends."""
    return ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)


def core_mean(_: Node, x: Any, core: Any) -> Any:
    """Mean over the pixels where `core` is 1."""
    return image_mean(x * core) / image_mean(core)


def core_variance(node: Node, x: Any, core: Any, mean: Any) -> Any:
    """Biased variance over the pixels where `core` is 1."""
    return core_mean(node, ops.square(x - mean), core)


def fake_quant(node: Node, x: Any) -> Any:
    """Rounding to 256 levels over a range."""
    return keras.quantizers.fake_quant_with_min_max_vars(x, node.attrs["low"], node.attrs["high"])


def affine(node: Node, x: Any) -> Any:
    """Scale * x + offset, each a scalar or one value a channel, absent ones left out."""
    y = x * node.weights["scale"] if "scale" in node.weights else x
    return y + node.weights["offset"] if "offset" in node.weights else y


def prelu(node: Node, x: Any) -> Any:
    """In the words in which the TFLite converter knows PRELU."""
    return ops.relu(x) + ops.relu(-x) * -node.weights["slope"].reshape(1, 1, -1)


def clip(node: Node, x: Any) -> Any:
    """Limits; (0, 6) has an operation of its own."""
    low, high = node.attrs["low"], node.attrs["high"]
    return ops.relu6(x) if (low, high) == (0.0, 6.0) else ops.clip(x, low, high)


def max_pool(node: Node, x: Any) -> Any:
    """Largest value of each window."""
    return ops.max_pool(x, tuple(node.attrs["pool"]), tuple(node.attrs["strides"]), node.attrs["padding"])


def resize(interpolation: str) -> Any:
    """A function that enlarges by a whole number; pixel centres at half positions, as in Keras, PyTorch and TFLite."""

    def run(node: Node, x: Any) -> Any:
        size = tuple(None if side is None else side * node.attrs["scale"] for side in x.shape[1:3])
        if None in size:
            return keras.layers.UpSampling2D(node.attrs["scale"], interpolation=interpolation)(x)
        return ops.image.resize(x, size, interpolation=interpolation)

    return run


def pad(node: Node, x: Any) -> Any:
    """Zeros around rows and columns."""
    return ops.pad(x, [[0, 0], list(node.attrs["rows"]), list(node.attrs["columns"]), [0, 0]])


def slice_channels(node: Node, x: Any) -> Any:
    """Some channels."""
    return x[..., node.attrs["start"] : node.attrs["start"] + node.attrs["size"]]
