"""What every network keeps, tried on a small one of each form: files, checkpoints, fold, graph, ONNX, TFLite."""

import keras
import numpy as np
import onnxruntime
import pytest
from support.model_cases import CASES

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.graph.from_keras import graph_of
from conversion.graph.to_keras import to_keras
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx.export import export_onnx
from keras_models.checkpoints.loading import load_model, model_from_state
from keras_models.checkpoints.network_weights import state_of
from keras_models.folding import fold, fold_error
from keras_models.registry import NETWORKS, networks


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def network(case):
    return case.build()


@pytest.fixture(scope="module")
def file(case, network, tmp_path_factory):
    """Its .keras."""
    path = tmp_path_factory.mktemp("networks") / "network.keras"
    network.save(path)
    return path


def values(model, image):
    return keras.ops.convert_to_numpy(model(image))


def test_every_network_has_a_case():
    listed = {name for name, network in networks().items() if network.__module__ in NETWORKS}
    assert {case.network for case in CASES.values()} == listed


def test_keras_file(network, file, rng):
    """Keras itself opens it without naming classes, and so do we, who build it from plain settings."""
    image = rng.random((1, 9, 7, 3), np.float32)
    for again in (keras.saving.load_model(file), load_model(file)):
        assert again.get_config() == network.get_config()
        assert np.array_equal(values(again, image), values(network, image))


def test_checkpoint(network):
    """Its weights under the names of a checkpoint say which network they are of."""
    again = model_from_state(state_of(network), "test", network.get_config().get("step"))
    # What no weight's shape tells is not in a checkpoint: it has the default.
    unseen = {key: getattr(again, key) for key in ("negative_slope", "epsilon") if hasattr(network, key)}
    assert again.get_config() == {**network.get_config(), **unseen, "name": again.name}
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), again.get_weights(), strict=True))


def test_fold(case, network):
    deploy = fold(network)
    assert fold_error(network, deploy) <= 1e-5
    assert (deploy.count_params() == network.count_params()) == case.plain
    assert fold(deploy).count_params() == deploy.count_params()


def test_graph(network, rng):
    image = rng.random((2, 12, 15, 3), np.float32)
    again = keras.ops.convert_to_numpy(to_keras(graph_of(fold(network)), None, None)(image)["upscaled"])
    assert np.abs(again - values(network, image)).max() <= 1e-5 * max(1, np.abs(again).max())


def test_onnx(network, file, rng, tmp_path):
    assert export_onnx(file, tmp_path / "x.onnx") <= 2e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    for shape in ((1, 9, 14, 3), (2, 16, 11, 3)):
        image = rng.random(shape, np.float32)
        nchw = np.ascontiguousarray(image.transpose(0, 3, 1, 2))
        made = session.run(["upscaled"], {"image": nchw})[0].transpose(0, 2, 3, 1)
        assert np.abs(made - values(network, image).clip(0, 1)).max() <= 2e-5


def test_tflite(network, file, rng, tmp_path):
    """One signature, NHWC, one XNNPACK partition, rank 4, nothing that phones lack, and its values at two sizes."""
    card = convert(file, tmp_path / "x.tflite", "float32", (32, 24), allow_overflow=True)  # of random weights
    report = inspect_tflite(tmp_path / "x.tflite")
    assert report.signatures == {"serving_default": (("image",), ("upscaled",))}
    assert [(t.name, t.shape, t.dtype) for t in report.inputs] == [("image", (1, 32, 24, 3), "float32")]
    assert report.cpu_partitions == 1 and report.max_rank == 4 and report.gpu_compatible
    assert report.scale == card.scale == network.scale and card.family == type(network).__name__
    engine = CpuEngine(tmp_path / "x.tflite")
    for size in ((32, 24), (19, 30)):
        image = rng.random((*size, 3), np.float32)
        assert np.abs(engine.run(image) - values(network, image[None])[0].clip(0, 1)).max() <= 2e-5
