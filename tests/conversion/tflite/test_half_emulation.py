"""Rounding a file's tensors to half numbers: all of them, one kind, and what leaves half precision's range."""

import numpy as np
import pytest
from support.gpu_op_models import Net, constant

from conversion.tflite.half_emulation import half_kinds, round_to_half
from keras_models.system.quiet import silenced


@pytest.fixture
def data(tmp_path):
    """A depthwise convolution of a 1x1, squared."""
    net = Net()
    conv = {"padding": 0, "strideW": 1, "strideH": 1}
    wide = net.op("CONV_2D", net.x, constant(4, 1, 1, 4), constant(4), options="Conv2D", **conv)
    deep = net.op("DEPTHWISE_CONV_2D", wide, constant(1, 3, 3, 4), constant(4), options="DepthwiseConv2D", depthMultiplier=1, **conv)
    net.write(tmp_path / "x.tflite", net.op("SQUARE", deep))
    return (tmp_path / "x.tflite").read_bytes()


def values(data, image):
    """The values of all tensors of the graph as it was, in its order of making."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with silenced():
        interpreter = Interpreter(
            model_content=data,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_tensor_details() if detail["shape"].size}


def half(array):
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def test_every_computed_tensor_is_a_half_number(data):
    image = np.random.default_rng(0).random((1, 8, 8, 4), dtype=np.float32)
    kinds, rounded = half_kinds(data), values(round_to_half(data), image)
    assert sorted(kinds.values()) == ["convolution, before a depthwise convolution", "depthwise 3x3", "output"]
    for name in kinds:
        assert np.array_equal(rounded[name], half(rounded[name])) and not np.array_equal(values(data, image)[name], rounded[name])


def test_one_kind_at_a_time(data):
    image = np.random.default_rng(0).random((1, 8, 8, 4), dtype=np.float32)
    plain, rounded = values(data, image), values(round_to_half(data, lambda kind: kind == "depthwise 3x3"), image)
    kind_of = {kind: name for name, kind in half_kinds(data).items()}
    first, second, last = (kind_of[k] for k in ("convolution, before a depthwise convolution", "depthwise 3x3", "output"))
    assert np.array_equal(plain[first], rounded[first])
    assert np.array_equal(half(plain[second]), rounded[second])
    np.testing.assert_allclose(rounded[last], rounded[second] ** 2, rtol=1e-6)


def test_beyond_the_range_is_infinite(data):
    output = values(round_to_half(data), np.full((1, 8, 8, 4), 100, np.float32))
    assert np.isinf(output[next(name for name, kind in half_kinds(data).items() if kind == "output")]).all()
