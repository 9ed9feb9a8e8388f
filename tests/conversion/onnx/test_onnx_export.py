"""Our networks as ONNX: the same function at any size through onnxruntime, readable by others, and back through the ONNX route."""

import json
from dataclasses import replace

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from support.networks import randomise

from conversion.graph.ir import Graph, Node
from conversion.graph.ops import OPS
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx.export import export_onnx, onnx_model
from conversion.onnx.load import fixed_graph, read_onnx
from conversion.onnx.rewrites import rewrite
from conversion.onnx.route import convert_onnx
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.system.errors import ConversionError

NETWORKS = {
    "LKDN, training form": lambda: LKDN(scale=3, features=8, attention_channels=6, blocks=2, step="BSConvU_rep", upsampler="rep"),
    "MAFDN": lambda: MAFDN(scale=2, features=8, distilled=4, blocks=1, reduction=2),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function from a name to (network with random weights, its .keras file, its .onnx), made once."""
    folder, made = tmp_path_factory.mktemp("networks"), {}

    def make(name):
        if name not in made:
            network = randomise(NETWORKS[name]())
            path, target = folder / f"{len(made)}.keras", folder / f"{len(made)}.onnx"
            network.save(path)
            assert export_onnx(path, target) <= 2e-5
            made[name] = network, path, target
        return made[name]

    return make


def run(path, image_nhwc):
    session = onnxruntime.InferenceSession(str(path))
    return session.run(["upscaled"], {"image": np.ascontiguousarray(image_nhwc.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_export_equals_keras_at_any_size(name, exported):
    network, _, target = exported(name)
    for shape in ((1, 9, 14, 3), (2, 16, 11, 3)):
        image = np.random.default_rng(1).random(shape, np.float32)
        expected = keras.ops.convert_to_numpy(network(image)).clip(0, 1)
        assert np.abs(run(target, image) - expected).max() <= 2e-5
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    facts = json.loads({entry.key: entry.value for entry in model.metadata_props}["mobile_sr"])
    assert (facts["scale"], facts["family"], facts["parameters"]) == (network.scale, type(network).__name__, fold(network).count_params())


@pytest.mark.parametrize("name", NETWORKS)
def test_export_is_rewritten_to_what_phones_run(name, exported, tmp_path):
    network, _, target = exported(name)
    graph = fixed_graph(read_onnx(target), "x", (12, 10), (8, 8))
    rewrite(graph)
    left = {node.op for node in graph.nodes}
    assert left.isdisjoint({"Transpose", "LayerNormalization", "Erf", "Reshape", "Shape"})
    onnx.save(graph.to_model(), tmp_path / "rewritten.onnx")
    image = np.random.default_rng(2).random((1, 12, 10, 3), np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "rewritten.onnx"))
    made = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)
    assert np.abs(made - keras.ops.convert_to_numpy(network(image)).clip(0, 1)).max() <= 2e-5


def test_released_weights_leave_no_half_precision_overflow(reference, tmp_path):
    """The export carries the powers of two: its largest map is small where the plain graph's reaches 1e5."""
    export_onnx(reference / "LKDN-S_x4.pth", tmp_path / "x.onnx")
    model = onnx.load(tmp_path / "x.onnx")
    names = [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "Mul")]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    image = np.random.default_rng(3).random((1, 3, 48, 48), np.float32)
    values = onnxruntime.InferenceSession(model.SerializeToString()).run(names, {"image": image})
    assert max(np.abs(value).max() for value in values) <= 1000


def test_unknown_operation_is_refused():
    image = Node("image", "input", shape=(1, 8, 8, 3))
    with pytest.raises(ConversionError, match="rsqrt has no onnx form.*fill the cell `onnx` of its row"):
        onnx_model(Graph([image, Node("odd", "rsqrt", inputs=["image"], shape=(1, 8, 8, 3))]))


def test_a_wrong_export_is_refused(exported, tmp_path, monkeypatch):
    """Control: the comparison with Keras does see a wrong operation."""
    _, path, _ = exported("MAFDN")
    monkeypatch.setitem(OPS, "leaky_relu", replace(OPS["leaky_relu"], onnx=OPS["relu"].onnx))
    with pytest.raises(ConversionError, match="differs"):
        export_onnx(path, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_even_kernels_are_padded_behind():
    """What Keras' "same" does and ONNX's default does not."""
    layer = keras.layers.Conv2D(3, 4, padding="same")
    image = np.random.default_rng(4).random((1, 7, 6, 3), np.float32)
    expected = keras.ops.convert_to_numpy(layer(image))
    weights = dict(zip(("kernel", "bias"), layer.get_weights()))
    graph = Graph([Node("image", "input", shape=(1, 7, 6, 3)), Node("c", "conv2d", {"dilation": 1}, weights, ["image"], (1, 7, 6, 3))])
    session = onnxruntime.InferenceSession(onnx_model(graph).SerializeToString())
    made = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)
    assert np.abs(made - expected).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back_again(name, exported, tmp_path):
    """Keras to ONNX, and that ONNX through onnx2tf: one XNNPACK partition, the same function, licence and family kept."""
    network, _, source = exported(name)
    made = convert_onnx(source, tmp_path / "x.tflite", tile=(32, 24))
    report = inspect_tflite(tmp_path / "x.tflite")
    assert made.error <= 1e-4 and made.card.family == type(network).__name__ and made.card.scale == network.scale
    assert report.cpu_partitions == 1 and report.max_rank == 4 and report.scale == network.scale and report.gpu_compatible
