"""What a foreign graph may take after it was proven on small windows: memory and time have an end, and the rest is as before."""

import numpy as np
import pytest
from onnx import helper, numpy_helper
from support.foreign_onnx import Net, written

from conversion.engines import onnx_engine
from conversion.engines.onnx_engine import OnnxEngine
from conversion.engines.values import Said
from conversion.source import ModelSource
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ModelError

LARGE = 200
"""Rows from which on the networks below ask for much; the proof runs smaller ones."""


def with_much(size, then=lambda net, much: much, small=1):
    """A network that enlarges, and from `LARGE` rows on also makes zeros of a size."""

    def make():
        net = Net()
        rows = net.op("Gather", net.op("Shape", "x"), net.value(2, np.int64), axis=0)
        shape = net.op(
            "Where",
            net.op("Greater", rows, net.value(LARGE - 1, np.int64)),
            net.value(size, np.int64),
            net.value([small] * len(size), np.int64),
        )
        much = net.op("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, np.float32)))
        rest = net.op("Mul", net.op("ReduceSum", then(net, much), keepdims=0), net.value(0.0))
        return net.finish(net.op("Add", net.upsample("x", mode="nearest"), rest))

    return make


def image(rows):
    return np.random.default_rng(0).random((rows, 40, 3), np.float32)


def test_memory_that_a_size_sets_free_is_refused(tmp_path):
    engine = OnnxEngine(written(with_much([1500, 1000, 1000]), tmp_path / "a.onnx"), 1)
    assert engine.infer(image(LARGE - 1)).shape == (2 * LARGE - 2, 80, 3), "just below the size"
    with pytest.raises(ModelError, match="a 200x40 image takes more than 4 GiB: give a smaller `tile`") as caught:
        engine.infer(image(LARGE))
    assert "\n" not in str(caught.value)
    assert engine.infer(image(LARGE - 1)).shape == (2 * LARGE - 2, 80, 3), "and it goes on"


def test_a_run_that_does_not_end_is_ended(tmp_path, monkeypatch):
    def products(net, much):
        for _ in range(2000):
            much = net.op("MatMul", much, much)
        return much

    monkeypatch.setattr(onnx_engine, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(onnx_engine, "_LOOKED_AT_S", 0.1)
    engine = OnnxEngine(written(with_much([1500, 1500], products), tmp_path / "a.onnx"), 1)
    assert engine.infer(image(LARGE - 1)).shape == (2 * LARGE - 2, 80, 3), "just below the size"
    with pytest.raises(ModelError, match="of the processor, 100 times what a small one does"):
        engine.infer(image(LARGE))


def test_a_loop_is_found_wherever_it_stands(tmp_path):
    """In a function of the file, and in a branch that small images do not take."""
    import onnx

    ends = [
        helper.make_tensor_value_info("again", onnx.TensorProto.BOOL, []),
        helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, None),
    ]
    begins = [
        helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
        helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
        helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, None),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["v"], ["w"])], "body", begins, ends
    )
    true = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    loop = helper.make_node("Loop", ["", "yes", "x"], ["looped"], body=body)
    shape = helper.make_tensor_value_info("looped", onnx.TensorProto.FLOAT, [None] * 4)
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "other",
        [],
        [helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, [None] * 4)],
    )
    branch = Net()
    rows = branch.op("Gather", branch.op("Shape", "x"), branch.value(2, np.int64), axis=0)
    large = branch.op("Greater", rows, branch.value(LARGE, np.int64))
    taken = branch.op("If", large, then_branch=helper.make_graph([true, loop], "then", [], [shape]), else_branch=other)
    onnx.save(branch.finish(branch.upsample(taken, mode="nearest")), tmp_path / "branch.onnx")
    called = Net()
    called.nodes.append(helper.make_node("Turn", ["x"], ["turned"], domain="own"))
    model = called.finish(called.upsample("turned", mode="nearest"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.append(helper.make_function("own", "Turn", ["x"], ["looped"], [true, loop], [helper.make_opsetid("", 17)]))
    onnx.save(model, tmp_path / "function.onnx")
    for name in ("branch", "function"):
        with pytest.raises(ModelError, match="Loop is control flow, which may run for ever"):
            OnnxEngine(tmp_path / f"{name}.onnx", 1)


def test_a_function_of_the_file_is_taken(tmp_path):
    """As PyTorch's newer exporter writes them."""
    import onnx

    net = Net()
    net.nodes.append(helper.make_node("Half", ["x"], ["halved"], domain="own"))
    model = net.finish(net.op("Mul", net.upsample("halved", mode="nearest"), net.value(2.0)))
    model.opset_import.append(helper.make_opsetid("own", 1))
    half = helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.float32(0.5)))
    body = [half, helper.make_node("Mul", ["x", "half"], ["halved"])]
    model.functions.append(helper.make_function("own", "Half", ["x"], ["halved"], body, [helper.make_opsetid("", 17)]))
    onnx.save(model, tmp_path / "a.onnx")
    given = image(20)
    np.testing.assert_allclose(OnnxEngine(tmp_path / "a.onnx", 1).infer(given), given.repeat(2, 0).repeat(2, 1), atol=1e-6)


def test_weights_that_are_a_pipe_are_refused_at_once(tmp_path):
    import os

    import onnx

    model = Net()
    onnx.save(
        model.finish(model.op("Add", model.upsample("x", mode="nearest"), model.value(np.zeros((1, 3, 1, 1))))),
        tmp_path / "a.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    (tmp_path / "weights").unlink()
    os.mkfifo(tmp_path / "weights")
    with pytest.raises(ModelError, match="which is no file"):
        OnnxEngine(tmp_path / "a.onnx", 1)
    os.mkfifo(tmp_path / "a.json")
    assert ModelSource.of(tmp_path / "a.safetensors").facts == {}


@pytest.mark.parametrize("name", ["weights", "w" * 200])
def test_other_weights_beside_the_same_file_are_another_network(tmp_path, name):
    """As PyTorch's exporter writes them: what was measured on an untrained network must not be believed of the trained one."""
    import onnx

    digests, halos = [], []
    for strength in (0.0, 1.0):
        net = Net()
        kernel = np.zeros((3, 3, 9, 9))
        kernel[range(3), range(3), 4, 4] = 1
        kernel[:, :, 0, 0] = 0.3 * strength
        y = net.op("Conv", net.upsample("x", mode="nearest"), net.value(kernel), pads=[4] * 4)
        options = {"save_as_external_data": True, "location": name, "size_threshold": 100}
        (tmp_path / name).unlink(missing_ok=True)
        onnx.save(net.finish(y), tmp_path / "a.onnx", **options)
        digests.append(sha256_of(tmp_path / "a.onnx"))
        halos.append(OnnxEngine(tmp_path / "a.onnx", 1, Said("0..1", "rgb")).halo)
    assert digests[0] == digests[1] and halos[0] < halos[1], "the same file, seen anew"
