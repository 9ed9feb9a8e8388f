"""How the Keras form of an operation becomes (op, attrs, weights) of a node: the readers that `conversion.graph.ops` names.

A reader gets the Keras layer or operation, the arguments of its call (a scalar operand stands there and nowhere else) and
the symbolic result.
"""

from typing import Any

import numpy as np

from keras_models.system.errors import ModelError

Read = tuple[str, dict, dict[str, np.ndarray]]


def plain(op: str, *attributes: str) -> Any:
    """A reader of an operation without weights: `attributes` are taken from the Keras object under the same names."""
    return lambda operation, call, result: (op, {name: getattr(operation, name) for name in attributes}, {})


def conv(layer: Any, call: Any, result: Any) -> Read:
    """Conv2D and DepthwiseConv2D; one with strides or without padding is an operation of its own."""
    depthwise = type(layer).__name__ == "DepthwiseConv2D"
    simple = layer.padding == "same" and tuple(layer.strides) == (1, 1)
    if getattr(layer, "groups", 1) != 1 or (depthwise and not simple) or (getattr(layer, "depth_multiplier", 1) != 1):
        raise ModelError(f"{layer.name}: grouped, strided depthwise and multiplied depthwise convolutions are not read")
    _no_activation(layer)
    if simple:
        return "depthwise_conv2d" if depthwise else "conv2d", {"dilation": layer.dilation_rate[0]}, _kernel_and_bias(layer)
    if tuple(layer.dilation_rate) != (1, 1) or layer.padding not in ("same", "valid"):
        raise ModelError(f"{layer.name}: a convolution of strides {layer.strides} with dilation is not read")
    return "strided_conv2d", {"strides": list(layer.strides), "padding": layer.padding}, _kernel_and_bias(layer)


def conv_transpose(layer: Any, call: Any, result: Any) -> Read:
    """Conv2DTranspose of "same" padding: the output is `strides` times as large."""
    square = len(set(layer.strides)) == 1 and min(layer.kernel_size) >= layer.strides[0]
    if layer.padding != "same" or not square or tuple(layer.dilation_rate) != (1, 1) or layer.output_padding is not None:
        raise ModelError(f"{layer.name}: only 'same' transposed convolutions of one stride, kernel at least as large, are read")
    _no_activation(layer)
    return "conv2d_transpose", {"stride": layer.strides[0]}, _kernel_and_bias(layer)


def _kernel_and_bias(layer: Any) -> dict[str, np.ndarray]:
    return dict(zip(("kernel", "bias"), map(np.asarray, layer.get_weights()), strict=False))


def _no_activation(layer: Any) -> None:
    if getattr(layer.activation, "__name__", "linear") != "linear":
        raise ModelError(f"{layer.name}: has an activation inside: give it a layer or operation of its own")


def norm(layer: Any, call: Any, result: Any) -> Read:
    """PixelNorm."""
    weights = {"gamma": np.asarray(layer.gamma), "beta": np.asarray(layer.beta)}
    return "pixel_norm", {"epsilon": layer.epsilon, "centred": False}, weights


def over_channels(op: str) -> Any:
    """A reader of a reduction over the channels."""

    def read(operation: Any, call: Any, result: Any) -> Read:
        if operation.axis not in (-1, [-1], (-1,)) or not operation.keepdims:
            raise ModelError(f"{operation.name}: only reductions over the channels that keep their axis are read")
        return op, {}, {}

    return read


def binary(op: str) -> Any:
    """A reader of a sum, difference, product or quotient; an operand that is no tensor makes it an "affine"."""

    def read(operation: Any, call: Any, result: Any) -> Read:
        operands = call.args[0] if isinstance(call.args[0], (list, tuple)) else (*call.args, *call.kwargs.values())
        if len(operands) != 2:
            raise ModelError(f"{operation.name}: {len(operands)} operands: write it as operations of two")
        constants = [np.asarray(o, np.float32) if _is_constant(o) else None for o in operands]
        if constants[0] is None and constants[1] is None:
            if op == "divide":
                raise ModelError(f"{operation.name}: a quotient of two tensors is not read: multiply instead")
            return op, {}, {}
        value = next(c for c in constants if c is not None)
        return _affine(operation, op, _per_channel(operation, value, result.shape[-1]), constants[0] is not None)

    return read


def _is_constant(operand: Any) -> bool:
    return isinstance(operand, (int, float, np.ndarray, np.generic))


def _per_channel(operation: Any, value: np.ndarray, channels: int) -> np.ndarray:
    if value.size not in (1, channels) or (value.ndim and value.shape[-1] != value.size):
        raise ModelError(f"{operation.name}: a constant of shape {value.shape}: a scalar or one value a channel is read")
    return value.reshape(()) if value.size == 1 else value.reshape(channels)


def _affine(operation: Any, op: str, value: np.ndarray, constant_first: bool) -> Read:
    """`x op value`, or `value op x`, as scale * x + offset."""
    if op == "divide" and constant_first:
        raise ModelError(f"{operation.name}: a constant divided by a tensor is not read")
    if op in ("multiply", "divide"):
        return "affine", {}, {"scale": value if op == "multiply" else (1 / value.astype(np.float64)).astype(np.float32)}
    if op == "subtract" and constant_first:
        return "affine", {}, {"scale": np.full((), -1, np.float32), "offset": value}
    return "affine", {}, {"offset": value if op == "add" else -value}


def negative(operation: Any, call: Any, result: Any) -> Read:
    """-x."""
    return "affine", {}, {"scale": np.full((), -1, np.float32)}


def rescaling(layer: Any, call: Any, result: Any) -> Read:
    """The Rescaling layer: scale * x + offset."""
    constants = (_per_channel(layer, np.asarray(v, np.float32), result.shape[-1]) for v in (layer.scale, layer.offset))
    return "affine", {}, dict(zip(("scale", "offset"), constants, strict=True))


def leaky_relu(operation: Any, call: Any, result: Any) -> Read:
    """LeakyRelu, operation or layer."""
    return "leaky_relu", {"slope": float(operation.negative_slope)}, {}


def relu(operation: Any, call: Any, result: Any) -> Read:
    """Relu, Relu6 and the ReLU layer with its limits."""
    top = 6.0 if type(operation).__name__ == "Relu6" else getattr(operation, "max_value", None)
    slope, threshold = (float(getattr(operation, name, 0) or 0) for name in ("negative_slope", "threshold"))
    if threshold or (top is not None and slope):
        raise ModelError(f"{operation.name}: a ReLU with a threshold, or with both slope and limit, is not read")
    if slope:
        return "leaky_relu", {"slope": slope}, {}
    return ("relu", {}, {}) if top is None else ("clip", {"low": 0.0, "high": float(top)}, {})


def prelu(layer: Any, call: Any, result: Any) -> Read:
    """PReLU with one slope a channel, or one in all."""
    slope = np.asarray(layer.alpha, np.float32)
    if slope.ndim != 3 or slope.shape[:2] != (1, 1):
        raise ModelError(f"{layer.name}: slopes of shape {slope.shape}: only PReLU(shared_axes=(1, 2)) is read, which any size can run")
    return "prelu", {}, {"slope": np.broadcast_to(slope[0, 0], result.shape[-1:]).copy()}


def activation(layer: Any, call: Any, result: Any) -> Read:
    """The Activation layer, by its function's name."""
    name = getattr(layer.activation, "__name__", str(layer.activation))
    known = {"relu": "relu", "silu": "silu", "sigmoid": "sigmoid", "tanh": "tanh", "hard_silu": "hard_swish"}
    if name == "gelu":
        return "gelu", {"approximate": False}, {}
    if name not in known:
        raise ModelError(f"{layer.name}: Activation({name!r}) is not read: use keras.ops.{name}, or give it a row")
    return known[name], {}, {}


def clip(operation: Any, call: Any, result: Any) -> Read:
    """Clip to two numbers."""
    return "clip", {"low": float(operation.x_min), "high": float(operation.x_max)}, {}


def max_pool(operation: Any, call: Any, result: Any) -> Read:
    """MaxPool and MaxPooling2D."""
    sides = (operation.pool_size, operation.strides or operation.pool_size)
    pool, strides = ([v, v] if isinstance(v, int) else list(v) for v in sides)
    return "max_pool", {"pool": pool, "strides": strides, "padding": operation.padding}, {}


def up_sampling(layer: Any, call: Any, result: Any) -> Read:
    """UpSampling2D."""
    return _resize(layer, layer.interpolation, tuple(layer.size))


def resize(operation: Any, call: Any, result: Any) -> Read:
    """keras.ops.image.resize to a whole multiple of the size."""
    source = call.args[0].shape
    factors = tuple(size / side for size, side in zip(operation.size, source[1:3]))
    if operation.antialias or operation.crop_to_aspect_ratio or operation.pad_to_aspect_ratio:
        raise ModelError(f"{operation.name}: a resize with antialias, cropping or padding is not read")
    return _resize(operation, operation.interpolation, factors)


def _resize(operation: Any, interpolation: str, factors: tuple[float, ...]) -> Read:
    if len(set(factors)) != 1 or factors[0] != int(factors[0]) or interpolation not in ("nearest", "bilinear"):
        raise ModelError(f"{operation.name}: a {interpolation} resize by {factors}: nearest or bilinear by one whole number is read")
    return f"resize_{interpolation}", {"scale": int(factors[0])}, {}


def pad(operation: Any, call: Any, result: Any) -> Read:
    """Zero padding of rows and columns, operation or ZeroPadding2D."""
    layer = getattr(operation, "padding", None)
    width = [[0, 0], *map(list, layer), [0, 0]] if layer is not None else [list(pair) for pair in operation.pad_width]
    constant = call.kwargs.get("constant_values")
    if len(width) != 4 or width[0] != [0, 0] or width[3] != [0, 0] or getattr(operation, "mode", "constant") != "constant" or constant:
        raise ModelError(f"{operation.name}: only zero padding of rows and columns is read")
    return "pad", {"rows": width[1], "columns": width[2]}, {}


def slice_channels(operation: Any, call: Any, result: Any) -> Read:
    """x[..., a:b] of the channels."""
    key = call.args[1]
    last = key[-1] if isinstance(key, tuple) else key
    whole = isinstance(key, tuple) and all(k is Ellipsis or k == slice(None) for k in key[:-1])
    if not whole or not isinstance(last, slice) or last.step not in (None, 1):
        raise ModelError(f"{operation.name}: only a slice of the channels, x[..., a:b], is read")
    start, stop, _ = last.indices(call.args[0].shape[-1])
    return "slice_channels", {"start": start, "size": stop - start}, {}
