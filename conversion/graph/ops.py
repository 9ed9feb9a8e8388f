"""The table of operations: one row each, with its form in every place that reads, computes, writes or quantizes one.

A network that uses a new operation adds a row here and nothing elsewhere. A cell that is missing is an error that names
the cell, only where it is needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from scipy.special import expit, ndtr

from conversion.graph import eager, int8_forms, keras_readers, onnx_forms
from conversion.graph.ir import Graph, Node
from keras_models.system.errors import ConversionError

TABLE = "conversion/graph/ops.py"

KERNEL = True
"""In the column int8: LiteRT has an integer kernel of the operation, tried here."""


@dataclass(frozen=True)
class Operation:
    """One row.

    Attributes:
        name: `Node.op`.
        run: (node, inputs) -> result in Keras' operations, NHWC; eager and symbolic.
        keras: Keras class -> its reader (`conversion.graph.keras_readers`).
        layer: the symbolic form with weights in stock layers; None: `run` is it.
        tflite: the TFLite operations that it becomes in a float file.
        onnx: how it is written as ONNX (`conversion.graph.onnx_forms`); None: it cannot be.
        int8: `KERNEL`, or what rewrites it into operations that have one (`conversion.graph.int8_forms`); None: neither.
        train: (node, inputs) -> result in TensorFlow for quantization-aware training, where `run` is not good enough.
        linear: a stride-1 "same" convolution: rewrites may scale, shift and round its kernel.
        moves_values: its results are its inputs' values (and zeros): one int8 range for all.
        zero_to_zero: channels of zeros stay so, channel by channel, whatever the weights.
        unit_range: (low, high) that its integer kernel insists on.
        scalar: (node, x) -> the function of one value in NumPy, for operations that act on each value alone.
    """

    name: str
    run: Callable[..., Any]
    keras: Mapping[str, Callable[..., tuple[str, dict, dict]]] | None = None
    layer: Callable[..., Any] | None = None
    tflite: tuple[str, ...] = ()
    onnx: onnx_forms.Form | None = None
    int8: bool | Callable[[Graph, Node], None] | None = None
    train: Callable[..., Any] | None = None
    linear: bool = False
    moves_values: bool = False
    zero_to_zero: bool = False
    unit_range: tuple[float, float] | None = None
    scalar: Callable[[Node, np.ndarray], np.ndarray] | None = None

    def read(self, operation: Any, call: Any, result: Any) -> tuple[str, dict, dict[str, np.ndarray]]:
        """(op, attrs, weights) of a Keras operation of a class in `keras`."""
        return (self.keras or {})[type(operation).__name__](operation, call, result)


def _train(name: str) -> Callable[..., Any]:
    """A function of `conversion.quantization.qat.training_ops`, imported when it runs: it needs a TensorFlow that others do not."""

    def run(node: Node, *inputs: Any) -> Any:
        from conversion.quantization.qat import training_ops

        return getattr(training_ops, name)(node, *inputs)

    return run


_ROWS = (
    Operation("input", lambda node, x: x, {"InputLayer": keras_readers.plain("input")}, int8=KERNEL),
    Operation(
        "conv2d",
        eager.conv,
        {"Conv2D": keras_readers.conv},
        layer=eager.conv_layer,
        tflite=("CONV_2D",),
        onnx=onnx_forms.conv,
        int8=KERNEL,
        linear=True,
    ),
    Operation(
        "depthwise_conv2d",
        eager.conv,
        {"DepthwiseConv2D": keras_readers.conv},
        layer=eager.conv_layer,
        tflite=("DEPTHWISE_CONV_2D",),
        onnx=onnx_forms.conv,
        int8=KERNEL,
        linear=True,
        zero_to_zero=True,
    ),
    Operation(
        "strided_conv2d",
        eager.strided_conv,
        layer=eager.strided_conv_layer,
        tflite=("CONV_2D",),
        onnx=onnx_forms.strided_conv,
        int8=KERNEL,
    ),
    Operation(
        "conv2d_transpose",
        eager.conv_transpose,
        {"Conv2DTranspose": keras_readers.conv_transpose},
        layer=eager.conv_transpose_layer,
        tflite=("TRANSPOSE_CONV",),
        onnx=onnx_forms.conv_transpose,
        int8=KERNEL,
    ),
    Operation(
        "pixel_norm",
        eager.norm,
        {"PixelNorm": keras_readers.norm},
        tflite=("MEAN", "SUB", "MUL", "ADD", "RSQRT", "SQUARE", "SQUARED_DIFFERENCE"),
        onnx=onnx_forms.norm,
        int8=int8_forms.norm_as_products,
    ),
    Operation(
        "contrast",
        eager.contrast,
        {"Contrast": lambda layer, call, result: ("contrast", {"epsilon": layer.epsilon}, {})},
        tflite=("MEAN", "SUB", "MUL", "ADD", "SQRT", "RESHAPE"),
        onnx=onnx_forms.contrast,
    ),
    Operation(
        "gelu",
        lambda node, x: ops.gelu(x, approximate=node.attrs["approximate"]),
        {"Gelu": keras_readers.plain("gelu", "approximate"), "Activation": keras_readers.activation},
        tflite=("GELU",),
        onnx=onnx_forms.gelu,
        int8=KERNEL,
        train=_train("gelu"),
        zero_to_zero=True,
        scalar=lambda node, x: x * ndtr(x),
    ),
    Operation(
        "relu",
        lambda node, x: ops.relu(x),
        {"Relu": keras_readers.relu, "Relu6": keras_readers.relu, "ReLU": keras_readers.relu},
        tflite=("RELU",),
        onnx=onnx_forms.plain("Relu"),
        int8=KERNEL,
        zero_to_zero=True,
        scalar=lambda node, x: np.maximum(x, 0),
    ),
    Operation(
        "leaky_relu",
        lambda node, x: ops.leaky_relu(x, node.attrs["slope"]),
        {"LeakyRelu": keras_readers.leaky_relu, "LeakyReLU": keras_readers.leaky_relu},
        tflite=("LEAKY_RELU",),
        onnx=onnx_forms.leaky_relu,
        int8=KERNEL,
        zero_to_zero=True,
        scalar=lambda node, x: np.where(x < 0, node.attrs["slope"] * x, x),
    ),
    Operation(
        "prelu",
        eager.prelu,
        {"PReLU": keras_readers.prelu},
        tflite=("PRELU",),
        onnx=onnx_forms.prelu,
        int8=int8_forms.prelu_as_parts,
    ),
    Operation(
        "silu",
        lambda node, x: ops.silu(x),
        {"Silu": keras_readers.plain("silu")},
        tflite=("LOGISTIC", "MUL"),
        onnx=onnx_forms.silu,
        int8=int8_forms.silu_as_product,
        zero_to_zero=True,
        scalar=lambda node, x: x * expit(x),
    ),
    Operation(
        "sigmoid",
        lambda node, x: ops.sigmoid(x),
        {"Sigmoid": keras_readers.plain("sigmoid")},
        tflite=("LOGISTIC",),
        onnx=onnx_forms.plain("Sigmoid"),
        int8=KERNEL,
        unit_range=(0.0, 255 / 256),
        scalar=lambda node, x: expit(x),
    ),
    Operation(
        "tanh",
        lambda node, x: ops.tanh(x),
        {"Tanh": keras_readers.plain("tanh")},
        tflite=("TANH",),
        onnx=onnx_forms.plain("Tanh"),
        int8=KERNEL,
        zero_to_zero=True,
        unit_range=(-1.0, 127 / 128),
        scalar=lambda node, x: np.tanh(x),
    ),
    Operation(
        "hard_swish",
        lambda node, x: ops.hard_silu(x),
        {"HardSilu": keras_readers.plain("hard_swish")},
        tflite=("HARD_SWISH",),
        onnx=onnx_forms.plain("HardSwish"),
        int8=int8_forms.hard_swish_as_product,
        zero_to_zero=True,
        scalar=lambda node, x: x * np.clip(x + 3, 0, 6) / 6,
    ),
    Operation(
        "rsqrt",
        lambda node, x: ops.rsqrt(x),
        tflite=("RSQRT",),
        int8=KERNEL,
        train=_train("rsqrt"),
    ),
    Operation(
        "clip",
        eager.clip,
        {"Clip": keras_readers.clip},
        tflite=("RELU_0_TO_1", "RELU6", "RELU_N1_TO_1", "MINIMUM", "MAXIMUM"),
        onnx=onnx_forms.clip,
        int8=KERNEL,
        scalar=lambda node, x: np.clip(x, node.attrs["low"], node.attrs["high"]),
    ),
    Operation(
        "channel_mean",
        lambda node, x: ops.mean(x, axis=-1, keepdims=True),
        {"Mean": keras_readers.over_channels("channel_mean")},
        tflite=("MEAN",),
        onnx=onnx_forms.reduction("ReduceMean", 1),
    ),
    Operation(
        "channel_max",
        lambda node, x: ops.max(x, axis=-1, keepdims=True),
        {"Max": keras_readers.over_channels("channel_max")},
        tflite=("REDUCE_MAX",),
        onnx=onnx_forms.reduction("ReduceMax", 1),
    ),
    Operation(
        "add",
        lambda node, x, y: x + y,
        {"Add": keras_readers.binary("add")},
        tflite=("ADD",),
        onnx=onnx_forms.plain("Add"),
        int8=KERNEL,
        zero_to_zero=True,
    ),
    Operation(
        "subtract",
        lambda node, x, y: x - y,
        {"Subtract": keras_readers.binary("subtract")},
        tflite=("SUB",),
        onnx=onnx_forms.plain("Sub"),
        int8=KERNEL,
        zero_to_zero=True,
    ),
    Operation(
        "multiply",
        lambda node, x, y: x * y,
        {
            "Multiply": keras_readers.binary("multiply"),
            "TrueDivide": keras_readers.binary("divide"),
            "Divide": keras_readers.binary("divide"),
        },
        tflite=("MUL",),
        onnx=onnx_forms.plain("Mul"),
        int8=KERNEL,
        zero_to_zero=True,
    ),
    Operation(
        "affine",
        eager.affine,
        {"Negative": keras_readers.negative, "Rescaling": keras_readers.rescaling},
        tflite=("MUL", "ADD", "SUB", "NEG"),
        onnx=onnx_forms.affine,
        int8=int8_forms.affine_as_depthwise,
    ),
    Operation(
        "concatenate",
        lambda node, *xs: ops.concatenate(xs, axis=node.attrs["axis"]),
        {"Concatenate": keras_readers.plain("concatenate", "axis")},
        tflite=("CONCATENATION",),
        onnx=onnx_forms.plain("Concat", axis=1),
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "depth_to_space",
        lambda node, x: ops.depth_to_space(x, node.attrs["scale"]),
        {"DepthToSpace": lambda op, call, result: ("depth_to_space", {"scale": op.block_size}, {})},
        tflite=("DEPTH_TO_SPACE",),
        onnx=onnx_forms.depth_to_space,
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "max_pool",
        eager.max_pool,
        {"MaxPool": keras_readers.max_pool, "MaxPooling2D": keras_readers.max_pool},
        tflite=("MAX_POOL_2D",),
        onnx=onnx_forms.max_pool,
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "resize_nearest",
        eager.resize("nearest"),
        {"UpSampling2D": keras_readers.up_sampling, "Resize": keras_readers.resize},
        tflite=("RESIZE_NEAREST_NEIGHBOR",),
        onnx=onnx_forms.resize("nearest"),
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "resize_bilinear",
        eager.resize("bilinear"),
        tflite=("RESIZE_BILINEAR",),
        onnx=onnx_forms.resize("linear"),
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "pad",
        eager.pad,
        {"Pad": keras_readers.pad, "ZeroPadding2D": keras_readers.pad},
        tflite=("PAD",),
        onnx=onnx_forms.pad,
        int8=KERNEL,
        moves_values=True,
    ),
    Operation(
        "slice_channels",
        eager.slice_channels,
        {"GetItem": keras_readers.slice_channels},
        tflite=("STRIDED_SLICE", "SLICE"),
        onnx=onnx_forms.slice_channels,
        int8=KERNEL,
        moves_values=True,
    ),
    Operation("core_mean", eager.core_mean, tflite=("MEAN", "MUL", "DIV")),
    Operation("core_variance", eager.core_variance, tflite=("MEAN", "MUL", "DIV", "SUB", "SQUARE")),
    Operation("fake_quant", eager.fake_quant, tflite=("QUANTIZE", "DEQUANTIZE")),
)

OPS: dict[str, Operation] = {row.name: row for row in _ROWS}
"""`Node.op` -> its row."""

OPERATIONS: dict[str, Operation] = {kind: row for row in _ROWS for kind in row.keras or {}}
"""Class name of a Keras layer or operation -> the row whose reader knows it."""

LINEAR = tuple(row.name for row in _ROWS if row.linear)
"""The convolutions that rewrites may scale, shift and round."""


def value_of(node: Node, *inputs: Any) -> Any:
    """What a node makes of tensors."""
    return OPS[node.op].run(node, *inputs)


def missing_cell(node: Node, column: str, instead: str) -> ConversionError:
    """The error for an operation that lacks a form: it names the cell to fill, and what to do without it."""
    return ConversionError(f"{node.name}: {node.op} has no {column} form: {instead}, or fill the cell `{column}` of its row in {TABLE}")
