"""Every row of the operation table: read from Keras, computed, emitted, written as ONNX, rewritten for 8 bits."""

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers, ops

from conversion.graph.exact_rewrites import rewritten
from conversion.graph.from_keras import graph_of
from conversion.graph.ir import Graph, Node
from conversion.graph.ops import KERNEL, LINEAR, OPS, missing_cell
from conversion.graph.to_keras import to_keras
from conversion.onnx.export import onnx_model
from conversion.quantization.int8_graph import integer_forms
from conversion.tflite.converter import to_tflite
from conversion.tflite.file import read_tflite
from keras_models.attention import Contrast
from keras_models.blocks import PixelNorm
from keras_models.system.errors import ConversionError, ModelError

SIDE, CHANNELS = 12, 4

CASES = {
    "conv2d": lambda x: layers.Conv2D(5, 3, padding="same", dilation_rate=2)(x),
    "depthwise_conv2d": lambda x: layers.DepthwiseConv2D(5, padding="same")(x),
    "strided_conv2d": lambda x: layers.Conv2D(5, 3, strides=2, padding="same")(x),
    "conv2d_transpose": lambda x: layers.Conv2DTranspose(5, 4, strides=2, padding="same")(x),
    "pixel_norm": lambda x: PixelNorm()(x),
    "contrast": lambda x: x * Contrast()(x),
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "relu": lambda x: layers.ReLU()(x),
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.2),
    "prelu": lambda x: layers.PReLU(alpha_initializer="random_uniform", shared_axes=(1, 2))(x),
    "silu": lambda x: ops.silu(x),
    "sigmoid": lambda x: ops.sigmoid(x),
    "tanh": lambda x: ops.tanh(x),
    "hard_swish": lambda x: ops.hard_silu(x),
    "clip": lambda x: ops.relu6(x),
    "channel_mean": lambda x: x * ops.mean(x, axis=-1, keepdims=True),
    "channel_max": lambda x: x * ops.max(x, axis=-1, keepdims=True),
    "add": lambda x: x + ops.relu(x),
    "subtract": lambda x: ops.relu(x) - x,
    "multiply": lambda x: x * ops.relu(x),
    "affine": lambda x: ops.relu(0.5 - x * 0.25) / 2 - np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    "concatenate": lambda x: ops.concatenate([x, ops.relu(x)], axis=-1),
    "depth_to_space": lambda x: ops.depth_to_space(x, 2),
    "max_pool": lambda x: ops.max_pool(x, 2, 2, "same"),
    "resize_nearest": lambda x: layers.UpSampling2D(2, interpolation="nearest")(ops.concatenate([x, x], axis=-1)),
    "resize_bilinear": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]),
    "slice_channels": lambda x: x[..., 1:3],
}
NOT_READ = {"input", "rsqrt", "core_mean", "core_variance", "fake_quant"}
"""Made by rewrites alone."""


@pytest.fixture(scope="module")
def made():
    """A function from a row's name to (model, graph, input, output); each is built once."""
    cache = {}

    def make(name):
        if name not in cache:
            keras.utils.set_random_seed(3)
            source = keras.Input((None, None, CHANNELS))
            model = keras.Model(source, CASES[name](source))
            x = np.random.default_rng(1).normal(0, 1.5, (1, SIDE, SIDE, CHANNELS)).astype(np.float32)
            cache[name] = model, graph_of(model, SIDE, SIDE), x, keras.ops.convert_to_numpy(model(x))
        return cache[name]

    return make


def output(graph, x):
    return np.asarray(graph.run(x)[graph.output.name])


def test_every_row_has_a_case():
    assert CASES.keys() | NOT_READ == OPS.keys()


@pytest.mark.parametrize("name", CASES)
def test_read_and_computed(name, made):
    model, graph, x, expected = made(name)
    assert name in {node.op for node in graph.nodes.values()}
    np.testing.assert_allclose(output(graph, x), expected, atol=2e-6)
    emitted = to_keras(graph, SIDE, SIDE)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(emitted(x)["upscaled"]), expected, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in CASES if OPS[name].onnx])
def test_written_as_onnx(name, made):
    _, graph, x, expected = made(name)
    session = onnxruntime.InferenceSession(onnx_model(graph).SerializeToString())
    result = session.run(None, {"image": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]
    np.testing.assert_allclose(result.transpose(0, 2, 3, 1), expected, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in CASES if callable(OPS[name].int8)])
def test_written_for_8_bits(name, made):
    _, graph, x, expected = made(name)
    graph = graph.copy()
    integer_forms(graph)
    assert all(OPS[node.op].int8 is KERNEL for node in graph.nodes.values())
    np.testing.assert_allclose(output(graph, x), expected, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if OPS[name].scalar])
def test_function_of_one_value(name, made):
    """What ranges are judged by is what the operation computes."""
    _, graph, x, _ = made(name)
    node = next(node for node in graph.nodes.values() if node.op == name)
    values = graph.run(x)
    np.testing.assert_allclose(OPS[name].scalar(node, np.asarray(values[node.inputs[0]], np.float64)), values[node.name], atol=2e-6)


@pytest.mark.parametrize("name", [name for name, row in OPS.items() if row.zero_to_zero and name not in LINEAR and name in CASES])
def test_zeros_stay_zeros(name, made):
    _, graph, x, _ = made(name)
    node = next(node for node in graph.nodes.values() if node.op == name)
    values = graph.run(np.zeros_like(x))
    assert not np.asarray(values[node.name]).any()


def test_tflite_operations_are_those_of_the_table(made, tmp_path):
    """One conversion a row: the row says what the converter makes of it."""
    strange = {}
    for name in CASES:
        _, graph, _, _ = made(name)
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(to_tflite(to_keras(graph, SIDE, SIDE)))
        found = {operation.name for operation in read_tflite(path).operations}
        allowed = {op for node in graph.nodes.values() for op in OPS[node.op].tflite}
        strange |= {name: found - allowed} if found - allowed else {}
    assert strange == {}


def test_scalar_operands_are_kept():
    source = keras.Input((None, None, 2))
    model = keras.Model(source, (source * 0.1 - 0.5) + 2)
    x = np.ones((1, 3, 3, 2), np.float32)
    np.testing.assert_allclose(output(graph_of(model, 3, 3), x), 1.6, atol=1e-6)


def test_affines_vanish_into_convolutions():
    source = keras.Input((None, None, 3))
    conv = layers.Conv2D(12, 3, padding="same", bias_initializer="random_uniform")
    model = keras.Model(source, ops.depth_to_space(conv(source), 2) * 0.1 + 0.5)
    graph = rewritten(graph_of(model, 8, 8))
    assert [node.op for node in graph.nodes.values()] == ["input", "conv2d", "depth_to_space", "clip"]
    x = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(output(graph, x), keras.ops.convert_to_numpy(model(x)).clip(0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda x: ops.sin(x), "a Sin has no row"),
        (lambda x: 1 / x, "constant divided"),
        (lambda x: x / ops.relu(x), "quotient of two tensors"),
        (lambda x: layers.Conv2D(4, 3, padding="same", activation="relu")(x), "activation inside"),
        (lambda x: layers.Conv2D(4, 3, padding="same", groups=2)(x), "grouped"),
        (lambda x: layers.UpSampling2D(2, interpolation="bicubic")(x), "bicubic resize"),
        (lambda x: ops.mean(x, axis=(1, 2), keepdims=True), "over the channels"),
        (lambda x: layers.PReLU()(x), "shared_axes"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(build, words):
    source = keras.Input((8, 8, CHANNELS))
    with pytest.raises(ModelError, match=words):
        graph_of(keras.Model(source, build(source)), 8, 8)


def test_a_missing_cell_is_a_sentence():
    graph = Graph([Node("image", "input", shape=(1, 4, 4, 3)), Node("c", "contrast", {"epsilon": 1e-5}, {}, ["image"], (1, 1, 1, 3))])
    with pytest.raises(ConversionError, match="contrast has no int8 form: give recipe float16 .* fill the cell `int8` of its row in"):
        integer_forms(graph)
    assert "cell `onnx`" in str(missing_cell(graph.nodes["c"], "onnx", "do this"))
