"""A foreign .onnx becomes a .tflite that keeps the contract, or one clear line; the file itself is never trusted."""

import hashlib
import json
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.command_line import one_line_error, run
from support.graphs import oihw_weights

from conversion.engines.cpu import CpuEngine
from conversion.engines.view import View, measure_view
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx import route as onnx_route
from conversion.onnx import worker as onnx_worker
from conversion.onnx.route import convert_onnx, saved_model
from conversion.onnx.worker import prepare
from keras_models.system import sandbox as isolation
from keras_models.system.errors import ConversionError, MobileSRError


def weights(*shape):
    return oihw_weights(np.random.default_rng(0), *shape)


def tiny(path, nodes=(), shape=(1, 3, "h", "w"), dtype=TensorProto.FLOAT, opset=17, outputs=("y",), domain=None, **constants):
    """A 3x3 convolution and a pixel shuffle, or the nodes given, in a file."""
    nodes = list(nodes) or [
        helper.make_node("Conv", ["x", "kernel"], ["features"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["features"], ["y"], blocksize=2, mode="CRD"),
    ]
    constants.setdefault("kernel", weights(12, 3, 3, 3))
    used = {name for node in nodes for name in node.input}
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used]
    image = helper.make_tensor_value_info("x", dtype, shape)
    results = [helper.make_tensor_value_info(name, dtype, [None] * 4) for name in outputs]
    graph = helper.make_graph(nodes, "tiny", [image], results, held)
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


def node(op, inputs, outputs="y", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def external(path, location):
    """A model whose kernel is said to lie in another file."""
    tiny(path)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    path.write_bytes(model.SerializeToString())
    return path


def branch(path):
    result = helper.make_tensor_value_info("d", TensorProto.FLOAT, [1])
    body = helper.make_graph([helper.make_node("Constant", [], ["d"], value_floats=[1.0])], "body", [], [result])
    return tiny(path, [node("If", "yes", "e", then_branch=body, else_branch=body), node("Add", "x e")], yes=np.array(True))


def alien(path):
    return tiny(path, [helper.make_node("Magic", ["x"], ["y"], domain="acme")], domain="acme")


def bomb(path):
    nodes = [node("ConstantOfShape", "s", "c"), node("ReduceMax", "c", "m", keepdims=0), node("Add", "x m")]
    return tiny(path, nodes, s=np.int64([10**6] * 3))


def written(path, data):
    path.write_bytes(data)
    return path


SHUFFLE = node("DepthToSpace", "f", blocksize=2, mode="CRD")
BAD = {
    "no file": (lambda p: p, "no such file"),
    "empty": (lambda p: written(p, b""), "not an ONNX file"),
    "text": (lambda p: written(p, b"not a network\n" * 50), "not an ONNX file|not valid"),
    "cut off": (lambda p: written(p, tiny(p).read_bytes()[:900]), "not an ONNX file|damaged|not valid"),
    "invalid": (lambda p: tiny(p, [node("NoSuchOperation", "x")]), "not valid ONNX"),
    "weights outside": (lambda p: external(p, "../secret"), "outside of its folder"),
    "weights at an absolute path": (lambda p: external(p, "/etc/passwd"), "outside of its folder"),
    "weights missing": (lambda p: external(p, "kernel.bin"), "cannot be read"),
    "control flow": (branch, "control flow"),
    "foreign domain": (alien, "not standard|cannot run"),
    "two outputs": (lambda p: tiny(p, [node("Split", "x", "y z", axis=2, num_outputs=2)], opset=18, outputs=("y", "z")), "2 outputs"),
    "two channels": (lambda p: tiny(p, [node("Relu", "x")], shape=(1, 2, 64, 64)), "need 3 channels, or 1"),
    "integers": (lambda p: tiny(p, [node("Neg", "x")], dtype=TensorProto.INT32), "its input is INT32"),
    "channels last, another size": (lambda p: tiny(p, [node("Relu", "x")], shape=(1, 64, 48, 3)), "give `tile` 64x48"),
    "another size": (lambda p: tiny(p, shape=(1, 3, 24, 24)), "give `tile` 24x24"),
    "not super-resolution": (lambda p: tiny(p, [node("ReduceMean", "x", axes=[2, 3], keepdims=1)]), "not super-resolution"),
    "runs only at its size": (lambda p: tiny(p, [node("Add", "x c")], c=weights(1, 3, 9, 9)), "cannot run it|do not fit"),
    "random": (lambda p: tiny(p, [node("RandomNormalLike", "x", "r"), node("Add", "x r", "y")]), "random numbers"),
    "a write that is no ring": (
        lambda p: tiny(
            p,
            [node("Conv", "x kernel", "a", pads=[1] * 4), node("ScatterND", "a i v", "f"), SHUFFLE],
            i=np.int64([[0, 0, 0, 0]]),
            v=np.float32([7]),
        ),
        "fold.*before exporting",
    ),
    "huge constant": (bomb, "cannot"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_line(case, tmp_path):
    make, words = BAD[case]
    path = make(tmp_path / "model.onnx")
    with pytest.raises(MobileSRError, match=words) as caught:
        prepare(tmp_path, str(path), (16, 16), (16, 16), None)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not (tmp_path / "rewritten.onnx").exists()


def test_weights_in_the_folder_are_read(tmp_path):
    path = external(tmp_path / "model.onnx", "kernel.bin")
    (tmp_path / "kernel.bin").write_bytes(weights(12, 3, 3, 3).tobytes())
    assert prepare(tmp_path, str(path), None, (16, 16), None).scale == 2


def test_free_size_takes_the_tile_and_a_fixed_one_its_own(tmp_path):
    free, fixed = tiny(tmp_path / "free.onnx"), tiny(tmp_path / "fixed.onnx", shape=(1, 3, 12, 20))
    assert prepare(tmp_path, str(free), (16, 24), (8, 8), None).tile == (16, 24)
    assert prepare(tmp_path, str(free), None, (8, 8), None).tile == (8, 8)
    report = prepare(tmp_path, str(fixed), None, (8, 8), None)
    assert (report.tile, report.scale, report.parameters, report.multi_adds) == ((12, 20), 2, 324, 324 * 240)
    assert report.receptive_radius == 1


def test_a_rewrite_that_lies_is_caught(tmp_path, monkeypatch):
    """Control: what the worker compares does see a wrong graph."""

    def lie(graph):
        graph.nodes[-1].attrs["mode"] = "DCR"
        return 0

    monkeypatch.setattr(onnx_worker, "rewrite", lambda graph: {"lie": lie(graph)})
    with pytest.raises(ConversionError, match="differs by"):
        prepare(tmp_path, str(tiny(tmp_path / "model.onnx")), None, (16, 16), None)


def test_a_crash_of_the_reader_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "_helpers", {})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConversionError, match="cannot read it .it crashed .status 1"):
        convert_onnx(tiny(tmp_path / "model.onnx"), tmp_path / "x.tflite")


def test_onnx2tf_that_fails_gives_its_reason(tmp_path, monkeypatch):
    (tmp_path / "onnx2tf.py").write_text("import sys\nprint('ERROR: no such operation')\nsys.exit(1)\n")  # found before the package
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ConversionError, match="onnx2tf cannot convert it: .*status 1.*ERROR: no such operation"):
        saved_model(tiny(tmp_path / "model.onnx"), "model.onnx")


def test_a_conversion_that_differs_is_refused(tmp_path, monkeypatch):
    import tensorflow as tf

    module, spec = tf.Module(), tf.TensorSpec((1, 16, 16, 3), tf.float32, name="image")
    module.call = tf.function(lambda image: {"upscaled": tf.nn.depth_to_space(tf.repeat(image, 4, -1), 2)}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures=module.call)
    monkeypatch.setattr(onnx_route, "saved_model", lambda onnx_file, source: tmp_path / "other")
    with pytest.raises(ConversionError, match="differs by .* from onnxruntime"):
        convert_onnx(tiny(tmp_path / "model.onnx"), tmp_path / "x.tflite", tile=(16, 16))
    assert not list(tmp_path.glob("*x.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": "x.bin"}, "must end in .tflite"),
        ({"recipe": "int16x8"}, "float32 or float16 or int8"),
        ({"recipe": "int8"}, "is fitted to photos"),
    ],
)
def test_bad_arguments(arguments, words, tmp_path):
    target = tmp_path / arguments.pop("target", "x.tflite")
    with pytest.raises(ConversionError, match=words):
        convert_onnx(tmp_path / "model.onnx", target, **arguments)


def test_bad_file_on_the_command_line(tmp_path):
    path = written(tmp_path / "model.onnx", b"\x08\x07 nothing")
    one_line_error(run("convert", path, "-o", tmp_path / "x.tflite"))
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_halo_is_measured(tiny_model):
    """Three random 5x5 convolutions see 6 pixels; a nearest-neighbour file sees none."""
    assert measure_view(CpuEngine(tiny_model("random"), 1)) == View(8, 1)
    assert measure_view(CpuEngine(tiny_model("nearest"), 1)) == View(0, 1)


def check_reference(name, reference, folder, like, recipe="float32"):
    """Converts a reference export at 64x64 and holds the file to what the Keras route's has."""
    source, target = reference / f"{name}.onnx", folder / f"{name}.tflite"
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    made = convert_onnx(source, target, recipe, (64, 64))
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    assert made.error <= (1e-4 if recipe == "float32" else 2e-2) and made.rescaled > 0
    report, keras = inspect_tflite(target), inspect_tflite(like)
    assert set(report.operations) <= set(keras.operations) | {"RELU", "MINIMUM"}
    assert sum(report.operations.values()) <= 1.1 * sum(keras.operations.values())
    assert report.gpu_compatible, report.gpu_reasons
    assert report.cpu_partitions == 1 and report.max_rank <= 4 and report.scale == 4
    assert report.signatures == {"serving_default": (("image",), ("upscaled",))}
    assert [(t.name, t.shape) for t in (*report.inputs, *report.outputs)] == [("image", (1, 64, 64, 3)), ("upscaled", (1, 256, 256, 3))]
    card = json.loads(target.with_suffix(".json").read_text())
    assert card["half_max"] < 65504 and card["weights_sha256"] == before
    assert (card["halo"], card["receptive_radius"]) in ((24, 63), (32, 99))
    return card


def test_training_form_converts(reference, converted, tmp_path):
    card = check_reference("LKDN-S_x4_training_form_dynamic", reference, tmp_path, converted("LKDN-S_x4"))
    assert card["parameters"] < 130_000  # of 172,449 in training form


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["float32", "float16"])
@pytest.mark.parametrize("name", ["LKDN-S_x4_64x64", "LKDN_x4_dynamic"])
def test_other_exports_convert(name, recipe, reference, converted, tmp_path):
    check_reference(name, reference, tmp_path, converted(name.split("_x4")[0] + "_x4", recipe), recipe)
