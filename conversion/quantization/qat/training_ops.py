"""Operations whose form for quantization-aware training differs from what they compute: the cells `train` of the table.

Import this only where TensorFlow may be: the forms are TensorFlow's.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from conversion.graph.ir import Node

TINY = 1e-12
"""What the root of a value that was rounded to zero is taken of; its range clips the result, and no gradient passes."""


def gelu(node: Node, x: tf.Tensor) -> tf.Tensor:
    """The exact form has a gradient of its own; the tanh form is TensorFlow's."""
    return tf.nn.gelu(x, approximate=True) if node.attrs["approximate"] else exact_gelu(x)


def rsqrt(node: Node, x: tf.Tensor) -> tf.Tensor:
    """Of at least `TINY`."""
    return tf.math.rsqrt(tf.maximum(x, TINY))


@tf.custom_gradient
def exact_gelu(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """The exact form, x Phi(x); each direction is one fused loop, which takes half the time of TensorFlow's operations."""
    return _gelu(x), lambda upstream: _gelu_gradient(x, upstream)


@tf.function(jit_compile=True, autograph=False)
def _gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1 + tf.math.erf(x * 0.5**0.5))


@tf.function(jit_compile=True, autograph=False)
def _gelu_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    density = tf.exp(-0.5 * x * x) * (0.5 / math.pi) ** 0.5
    return upstream * (0.5 * (1 + tf.math.erf(x * 0.5**0.5)) + x * density)
