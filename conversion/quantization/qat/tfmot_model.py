"""The tf_keras twin of a graph, float or with every operation annotated for tensorflow-model-optimization.

Import this only in a process that was started for quantization-aware training (`conversion.quantization.qat.train`): it needs
TF_USE_LEGACY_KERAS=1. The rules of 8 bits are those of the integer kernels: weights per output channel, symmetric,
-127..127; activations per tensor, 256 levels, zero representable; biases in 32 bits, so not quantized.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layout_transform import QuantizeLayoutTransform
from tensorflow_model_optimization.python.core.quantization.keras.quantize_scheme import QuantizeScheme

from conversion.graph.arrays import RangeTable
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import OPS

_quantization = tfmot.quantization.keras
_Quantizer: Any = _quantization.quantizers.Quantizer
_QuantizeConfig: Any = _quantization.QuantizeConfig


class LearnedRanges:
    """The activation ranges of one twin as variables: learned ones move by a relative step, so that one rate suits all.

    Attributes:
        offsets: (G, 2) variable, zeros at the start: low = bounds[:, 0] (1 + offsets[:, 0]), high likewise.
    """

    def __init__(self, table: RangeTable) -> None:
        self.table = table
        self.offsets = tf.Variable(tf.zeros(table.bounds.shape), name="range_offsets")
        self._learned = tf.constant(table.learned[:, None].repeat(2, 1), tf.float32)

    def bounds(self) -> tf.Tensor:
        """(G, 2) float32, low and high as they are now."""
        return self.table.bounds * (1 + self.offsets * self._learned)

    def of(self, name: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Low and high of a node's range."""
        low, high = tf.unstack(self.bounds()[self.table.group[name]])
        return low, high


@tf.custom_gradient
def fake_quant(x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Rounds to 256 levels over [low, high], with the gradient of learned step sizes (LSQ, arXiv 1902.08153) to the range.

    TensorFlow's own gradient knows only the clipped values, so its ranges could but grow; the step's share in the
    rounding error, (y - x) / (high - low) inside the range, is what makes them shrink where resolution matters more.
    """
    y = tf.quantization.fake_quant_with_min_max_vars(x, low, high)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        to_x, to_low, to_high = tf.raw_ops.FakeQuantWithMinMaxVarsGradient(gradients=upstream, inputs=x, min=low, max=high)
        # The first image of the batch stands for all: an estimate without bias, at a fraction of the time.
        images = tf.cast(tf.shape(x)[0], tf.float32)
        rounding = tf.reduce_sum(to_x[:1] * (y[:1] - x[:1])) * images / (high - low)
        return to_x, to_low - rounding, to_high + rounding

    return y, gradient


@tf.custom_gradient
def fake_quant_kernel(kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Rounds (h, w, ..., channels) to 255 levels per channel, symmetric about 0 and as wide as the channel's largest weight."""
    limit = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=list(range(len(kernel.shape) - 1))), 1e-12)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -limit, limit, narrow_range=True)
    return rounded, lambda upstream: upstream


class KernelQuantizer(_Quantizer):
    """Weights of a convolution; kernels (h, w, C, 1) and, transposed, (h, w, C, in) have their channels on the third axis."""

    def __init__(self, third_axis: bool = False) -> None:
        self.third_axis = third_axis

    def build(self, tensor_shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> dict:
        """No variables: the range is the channel's largest weight at every step, as the converter will take it."""
        return {}

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict, **kwargs: object) -> tf.Tensor:
        """The kernel as the integer kernels will see it."""
        if not self.third_axis:
            return fake_quant_kernel(inputs)
        return tf.transpose(fake_quant_kernel(tf.transpose(inputs, (0, 1, 3, 2))), (0, 1, 3, 2))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"third_axis": self.third_axis}


def _annotation(ranges: LearnedRanges) -> type:
    """The QuantizeConfig class of one twin; it is rebuilt from its config while tfmot clones, so `ranges` is its closure."""

    class OutputQuantizer(_Quantizer):
        def __init__(self, name: str) -> None:
            self.name = name

        def build(self, tensor_shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> dict:
            return {}

        def __call__(self, inputs: tf.Tensor, training: bool, weights: dict, **kwargs: object) -> tf.Tensor:
            return fake_quant(inputs, *ranges.of(self.name))

        def get_config(self) -> dict:
            return {"name": self.name}

    class Annotation(_QuantizeConfig):
        def __init__(self, name: str) -> None:
            self.name = name

        def get_weights_and_quantizers(self, layer: tf_keras.layers.Layer) -> list:
            third_axis = isinstance(layer, (Depthwise, tf_keras.layers.Conv2DTranspose))
            return [(getattr(layer, key), KernelQuantizer(third_axis)) for key in _kernel_of(layer)]

        def set_quantize_weights(self, layer: tf_keras.layers.Layer, quantize_weights: list) -> None:
            for key, value in zip(_kernel_of(layer), quantize_weights, strict=True):
                setattr(layer, key, value)

        def get_activations_and_quantizers(self, layer: tf_keras.layers.Layer) -> list:
            return []

        def set_quantize_activations(self, layer: tf_keras.layers.Layer, quantize_activations: list) -> None:
            pass

        def get_output_quantizers(self, layer: tf_keras.layers.Layer) -> list:
            return [OutputQuantizer(self.name)] if self.name in ranges.table.group else []

        def get_config(self) -> dict:
            return {"name": self.name}

    return Annotation


def _kernel_of(layer: tf_keras.layers.Layer) -> list[str]:
    return [key for key in ("depthwise_kernel", "kernel") if hasattr(layer, key)][:1]


class Depthwise(tf_keras.layers.DepthwiseConv2D):
    """A depthwise convolution whose dilation stays one operation; Keras' own goes through SPACE_TO_BATCH_ND."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        dilations = [1, *self.dilation_rate, 1]
        y = tf.raw_ops.DepthwiseConv2dNative(
            input=inputs, filter=self.depthwise_kernel, strides=[1] * 4, padding="SAME", dilations=dilations
        )
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y


class Operation(tf_keras.layers.Layer):
    """An operation without trained weights, by its row of `conversion.graph.ops`."""

    def __init__(self, op: str, attrs: dict, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.op, self.attrs = op, attrs

    def call(self, inputs: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
        """The operation's value."""
        row = OPS[self.op]
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return (row.train or row.run)(Node(self.name, self.op, self.attrs), *tensors)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "op": self.op, "attrs": self.attrs}


def float_twin(graph: Graph) -> tf_keras.Model:
    """The graph as a functional tf_keras model in float32: (N, H, W, 3) to (N, sH, sW, 3)."""
    model = _functional(graph, lambda layer, node: layer)
    _set_weights(model, graph)
    return model


def quantized_twin(graph: Graph, ranges: LearnedRanges) -> tf_keras.Model:
    """The same with 8-bit arithmetic emulated: kernels, and the values of all nodes that have a range.

    Its layers' own variables are the float weights that are trained.
    """
    annotation = _annotation(ranges)
    known = {cls.__name__: cls for cls in (annotation, Depthwise, Operation)}
    with _quantization.quantize_scope(known):
        annotated = _functional(graph, lambda layer, node: _quantization.quantize_annotate_layer(layer, annotation(node.name)))
        model = _quantization.quantize_apply(annotated, scheme=_AsAnnotated())
    _set_weights(model, graph)
    return model


class _AsAnnotated(QuantizeScheme):
    """Leaves every layer as it was annotated; the stock scheme would rewrite concatenations by rules of its own."""

    def get_layout_transformer(self) -> QuantizeLayoutTransform:
        class Nothing(QuantizeLayoutTransform):
            def apply(self, model: tf_keras.Model, layer_quantize_map: dict) -> tuple[tf_keras.Model, dict]:
                return model, layer_quantize_map

        return Nothing()

    def get_quantize_registry(self) -> object:
        return _NoRegistry()


class _NoRegistry:
    def supports(self, layer: tf_keras.layers.Layer) -> bool:
        return False


def _functional(graph: Graph, wrap: Callable) -> tf_keras.Model:
    values = {}
    for node in graph.nodes.values():
        layer = wrap(_layer(node), node)
        if node.op == "input":
            image = tf_keras.Input((None, None, node.shape[-1]), name="pixels")
            values[node.name] = layer(image)
        else:
            inputs = [values[name] for name in node.inputs]
            values[node.name] = layer(inputs[0] if len(inputs) == 1 else inputs)
    return tf_keras.Model(image, values[graph.output.name])


def _layer(node: Node) -> tf_keras.layers.Layer:
    name = layer_name(node)
    if "kernel" not in node.weights:
        return Operation(node.op, node.attrs, name=name)
    kernel, attrs = node.weights["kernel"], node.attrs
    options = {"padding": attrs.get("padding", "same"), "use_bias": "bias" in node.weights, "name": name}
    if node.op == "conv2d_transpose":
        return tf_keras.layers.Conv2DTranspose(kernel.shape[2], kernel.shape[:2], attrs["stride"], **options)
    if node.op == "strided_conv2d":
        return tf_keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], tuple(attrs["strides"]), **options)
    options["dilation_rate"] = attrs.get("dilation", 1)
    if node.op == "depthwise_conv2d":
        return Depthwise(kernel.shape[:2], **options)
    return tf_keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options)


def layer_name(node: Node) -> str:
    """A node's layer in the twin."""
    return node.name.replace("/", ".").replace(":", ".")


def weight_variables(model: tf_keras.Model, graph: Graph) -> dict[tuple[str, str], tf.Variable]:
    """(node name, "kernel" or "bias") -> the variable that holds it, in the graph's order."""
    layers = {getattr(layer, "layer", layer).name: layer for layer in model.layers}  # tfmot's wrapper holds the layer's variables
    found: dict[tuple[str, str], tf.Variable] = {}
    for node in graph.nodes.values():
        by_name = {v.name.split("/")[-1].split(":")[0].removeprefix("depthwise_"): v for v in layers[layer_name(node)].variables}
        found.update({(node.name, key): by_name[key] for key in ("kernel", "bias") if key in node.weights})
    return found


def _set_weights(model: tf_keras.Model, graph: Graph) -> None:
    for (name, key), variable in weight_variables(model, graph).items():
        variable.assign(graph.nodes[name].weights[key])
