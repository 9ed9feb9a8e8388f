"""Any .tflite or .onnx is run, described and compared: ranks, several inputs and outputs, signatures, types, free sizes, and damage."""

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper
from support.command_line import one_line_error, run
from support.gpu_op_models import MAP, Net, constant, ints

from conversion.measuring.any_file import is_super_resolution, verify_any
from conversion.measuring.feeds import Fed, feeds_of
from conversion.measuring.onnx_inspection import inspect_onnx
from keras_models.system.errors import ModelError


class AnyNet(Net):
    """A `Net` of several inputs and outputs."""

    def more(self, shape, dtype=np.float32, name=None):
        index = self._tensor(shape, dtype)
        self.graph.tensors[index].name = name or f"in{index}"
        return index

    def save(self, path, inputs, outputs, signatures=None):
        """`signatures`: name -> ({name: tensor}, {name: tensor}) of the one graph."""
        self.graph.inputs, self.graph.outputs = inputs, outputs
        self.model.subgraphs = [self.graph]
        for number, (key, parts) in enumerate((signatures or {}).items()):
            told = schema.SignatureDefT()
            told.signatureKey, told.subgraphIndex = key, number
            told.inputs, told.outputs = ([_entry(*pair) for pair in part.items()] for part in parts)
            self.model.signatureDefs = [*(self.model.signatureDefs or []), told]
            if number:
                self.model.subgraphs.append(self.graph)
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        path.write_bytes(builder.Output())
        return path


def _entry(name, tensor):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


@pytest.fixture(scope="module")
def two_in_two_out(tmp_path_factory):
    """Rows of a table by number, added to a vector; where a switch is on, else zeros."""
    net = AnyNet((1, 4))
    ids, switch = net.more((3,), np.int32, "ids"), net.more((1, 4), np.bool_, "switch")
    rows = net.op("GATHER", constant(5, 4), ids, options="Gather", axis=0, out=(3, 4))
    total = net.op("ADD", net.op("SUM", rows, ints(0), options="Reducer", keepDims=True, out=(1, 4)), net.x, options="Add", out=(1, 4))
    chosen = net.op("SELECT_V2", switch, total, np.zeros((1, 4), np.float32), options="SelectV2", out=(1, 4))
    return net.save(tmp_path_factory.mktemp("any") / "two.tflite", [net.x, ids, switch], [chosen, total])


def test_several_inputs_of_several_types(two_in_two_out):
    found = verify_any(two_in_two_out, fed=Fed(["uniform", "normal", "flat", "zeros", "extremes"]))
    assert found.problems == () and len(found.outputs) == 10 and not is_super_resolution(two_in_two_out)
    assert found.inputs == ("t0 1x4 float32", "ids 3 int32", "switch 1x4 bool")
    assert {o.input: o.high for o in found.outputs if o.input == "zeros"} == {"zeros": pytest.approx(float(3 * constant(5, 4)[0].max()))}
    assert found.as_json() == verify_any(two_in_two_out, fed=Fed(["uniform", "normal", "flat", "zeros", "extremes"])).as_json()
    other = verify_any(two_in_two_out, fed=Fed(["uniform"], seed=7)).outputs
    assert other[0].high != next(o for o in found.outputs if o.input == "uniform").high


def test_inputs_from_files(two_in_two_out, tmp_path):
    values = {"t0": np.float32([[1, 2, 3, 4]]), "ids": np.int64([0, 1, 2]), "switch": np.array([[True, False, True, False]])}
    np.savez(tmp_path / "in.npz", **values)
    found = verify_any(two_in_two_out, fed=Fed([str(tmp_path / "in.npz")]))
    total = constant(5, 4)[:3].sum(0) + values["t0"][0]
    assert found.outputs[1].high == pytest.approx(total.max()) and found.outputs[0].low == 0
    for wrong, words in (
        ({"ids": values["ids"]}, "nothing for input t0"),
        ({**values, "ids": np.zeros((2, 2), np.int32)}, "2x2 for input ids"),
        ({**values, "ids": np.float32([1, 2, 3])}, "float32 for input ids"),
    ):
        np.savez(tmp_path / "wrong.npz", **wrong)
        with pytest.raises(ModelError, match=words):
            verify_any(two_in_two_out, fed=Fed([str(tmp_path / "wrong.npz")]))


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (2, 1, 2, 1, 2, 3)])
def test_any_rank(shape, tmp_path):
    net = AnyNet(shape)
    path = net.save(tmp_path / "rank.tflite", [net.x], [net.op("TANH", net.x)])
    assert verify_any(path, fed=Fed(["normal"])).outputs[0].shape == shape


def test_free_sizes_are_asked_for_and_fixed(tmp_path):
    net = AnyNet((1, 1, 1, 4))
    net.graph.tensors[net.x].shapeSignature = [-1, -1, -1, 4]
    made = net.op("TANH", net.x, out=(1, 1, 1, 4))
    net.graph.tensors[made].shapeSignature = [-1, -1, -1, 4]
    path = net.save(tmp_path / "free.tflite", [net.x], [made])
    with pytest.raises(ModelError, match=r"say its size with `shape` t0=1,64,64,4"):
        verify_any(path)
    assert verify_any(path, fed=Fed(shapes={"t0": (2, 5, 7, 4)})).outputs[0].shape == (2, 5, 7, 4)
    assert b"\xff\xff\xff\xff" not in feeds_of(path, Fed(shapes={"t0": (2, 5, 7, 4)}))[0]
    for wrong, words in (({"t0": (1, 5, 7, 3)}, "only sides written"), ({"nobody": (1,)}, "no input 'nobody'")):
        with pytest.raises(ModelError, match=words):
            verify_any(path, fed=Fed(shapes=wrong))


def test_every_signature_is_run(tmp_path):
    net = AnyNet((1, 4))
    made = net.op("ABS", net.x)
    parts = {"first": ({"image": net.x}, {"size": made}), "second": ({"sound": net.x}, {"power": made})}
    found = verify_any(net.save(tmp_path / "two.tflite", [net.x], [made], parts), fed=Fed(["normal"]))
    assert [(o.signature, o.name) for o in found.outputs] == [("first", "size"), ("second", "power")]
    assert found.inputs == ("first: image 1x4 float32", "second: sound 1x4 float32")


def _onnx_twin(path, kernel, first=True, shift=0.0):
    """x * kernel + 1 over channels, as .onnx with channels first."""
    shape = [1, 4, 8, 8] if first else [1, 8, 8, 4]
    vector = kernel.reshape(4, 1, 1) if first else kernel
    nodes = [helper.make_node("Mul", ["image", "k"], ["m"]), helper.make_node("Add", ["m", "one"], ["result"])]
    weights = [numpy_helper.from_array(vector, "k"), numpy_helper.from_array(np.float32([1 + shift]), "one")]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "result")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("first", [True, False])
def test_agreement_with_an_onnx(first, tmp_path):
    net, kernel = AnyNet(MAP), constant(4)
    made = net.op("ADD", net.op("MUL", net.x, kernel, options="Mul"), np.float32(1), options="Add")
    path = net.save(tmp_path / "m.tflite", [net.x], [made])
    same = verify_any(path, _onnx_twin(tmp_path / "same.onnx", kernel, first))
    assert same.problems == () and len(same.differences) == 2 and same.differences[0].largest < 1e-6
    wrong = verify_any(path, _onnx_twin(tmp_path / "wrong.onnx", kernel, first, shift=0.01))
    assert len(wrong.problems) == 2 and "differs" in wrong.problems[0]
    with pytest.raises(ModelError, match="takes 1 inputs|cannot be compared"):
        other = AnyNet((1, 4))
        verify_any(other.save(tmp_path / "o.tflite", [other.x], [other.op("ABS", other.x)]), tmp_path / "same.onnx")


def test_an_onnx_itself(tmp_path):
    path = _onnx_twin(tmp_path / "m.onnx", constant(4))
    assert verify_any(path).outputs[0].shape == (1, 4, 8, 8)
    said = inspect_onnx(path)
    assert said.operations == {"Mul": 1, "Add": 1} and said.inputs[0].shape == (1, 4, 8, 8) and said.weights_bytes == {"float": 20}
    done = run("inspect", path)
    assert done.returncode == 0 and "opset      ai.onnx 13" in done.stdout
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:40])
    for command in ("inspect", "verify"):
        one_line_error(run(command, tmp_path / "cut.onnx"))


def test_not_finite_and_over_half_are_problems(tmp_path):
    net = AnyNet((1, 4))
    root = net.op("LOG", net.op("MUL", net.x, np.float32(1e6), options="Mul"))
    problems = verify_any(net.save(tmp_path / "log.tflite", [net.x], [root]), fed=Fed(["normal", "uniform"])).problems
    assert any("normal: not finite" in p for p in problems) and any("half precision ends at 65504" in p for p in problems)


def test_a_damaged_file_is_an_error_of_one_line(two_in_two_out, tmp_path):
    whole = two_in_two_out.read_bytes()
    bad = tmp_path / "bad.tflite"
    rng = np.random.default_rng(0)
    for number in range(5):
        data = bytearray(whole[: len(whole) // 2] if number == 0 else whole)
        for place in rng.integers(8, len(data), 4 * number):
            data[place] ^= 0xFF
        bad.write_bytes(data)
        try:
            verify_any(bad, fed=Fed(["uniform"]))
        except ModelError as error:
            assert str(bad) in str(error) and "\n" not in str(error)


@pytest.mark.gpu
def test_on_a_gpu_every_output_in_both_precisions(software_vulkan, monkeypatch, tmp_path):
    monkeypatch.setattr("conversion.gpu.tensors.system_device", lambda: None)
    net = AnyNet(MAP)
    other = net.more(MAP)
    total = net.op("ADD", net.x, other, options="Add")
    large = net.op("MUL", net.op("SQUARE", other), np.float32(1e6), options="Mul")
    path = net.save(tmp_path / "two.tflite", [net.x, other], [total, large])
    gpu = verify_any(path, fed=Fed(["uniform"]), gpu=True).gpu
    assert [(o.precision, o.leaves) for o in gpu.outputs] == [("single", False), ("single", False), ("half", False), ("half", True)]


@pytest.mark.slow
def test_agreement_with_keras_and_a_saved_model(tmp_path):
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    left, right = keras.Input((8,), batch_size=1, name="left"), keras.Input((4,), batch_size=1, name="right")
    both = keras.layers.Concatenate()([left, right])
    network = keras.Model([left, right], [keras.layers.Dense(3)(both), keras.layers.Dense(5, activation="softmax")(both)])
    network.save(tmp_path / "n.keras")
    network.export(tmp_path / "saved", verbose=False)
    (tmp_path / "n.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    for other in ("n.keras", "saved"):
        found = verify_any(tmp_path / "n.tflite", tmp_path / other)
        assert found.problems == () and len(found.differences) == 4, other
