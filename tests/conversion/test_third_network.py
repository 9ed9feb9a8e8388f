"""A network that stands in this file alone goes the whole way: nothing in either package knows it."""

from collections.abc import Mapping

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.graph.from_keras import graph_of
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx.export import export_onnx
from conversion.onnx.route import convert_onnx
from conversion.source import ModelSource
from conversion.upscaling.pipeline import upscale_array
from keras_models.base import SuperResolution, image_input, register
from keras_models.blocks import Block, conv, dtype_scope, float64_weights, pixel_shuffle
from keras_models.checkpoints.loading import load_model
from keras_models.checkpoints.saving import save_network
from keras_models.folding import fold, fold_error


class Doubled(Block):
    """Training form of a 3x3 convolution: two of them, summed."""

    def __init__(self, features: int, name: str) -> None:
        super().__init__(name, features=features)
        self.a, self.b = conv(features, features, 3, name="a"), conv(features, features, 3, name="b")

    def call(self, x):
        return self.a(x) + self.b(x)

    def fold(self):
        (ka, ba), (kb, bb) = float64_weights(self.a), float64_weights(self.b)
        return [ka + kb, ba + bb]


@register
class Third(SuperResolution):
    """SiLU, PReLU, subtraction, scalar product, concatenation and a nearest-neighbour skip."""

    pixel_shuffle_convs = ("up",)

    def __init__(self, scale=2, features=8, form="training", name="third", dtype=None, trainable=True) -> None:
        with dtype_scope(dtype):
            image = image_input()
            x = conv(3, features, 3, name="head")(image)
            body = Doubled(features, name="body") if form == "training" else conv(features, features, 3, name="body")
            y = ops.silu(body(x))
            y = keras.layers.PReLU(shared_axes=(1, 2), name="prelu")(conv(features, features, name="mix")(y - x))
            y = conv(2 * features, features, name="fuse")(ops.concatenate([y * 0.5, x], axis=-1))
            large = pixel_shuffle(conv(features, 3 * scale**2, 3, name="up")(y), scale)
            upscaled = large * 0.1 + keras.layers.UpSampling2D(scale, interpolation="nearest", name="nearest")(image)
        super().__init__(image, upscaled, {"scale": scale, "features": features, "form": form}, name, trainable)

    halo = 8
    receptive_radius = 3

    def deploy_config(self) -> dict:
        return {**self.get_config(), "form": "deploy"}

    @classmethod
    def config_from_shapes(cls, shapes: Mapping) -> dict | None:
        if not {"head.weight", "mix.weight", "fuse.weight", "up.weight"} <= shapes.keys():
            return None
        return {
            "scale": round((shapes["up.weight"][0] / 3) ** 0.5),
            "features": shapes["head.weight"][0],
            "form": "training" if "body.a.weight" in shapes else "deploy",
        }


@pytest.fixture(scope="module")
def network():
    model = Third()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Blocks of colour, as neighbouring pixels of photos are alike."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)
    for index in range(3):
        blocks = np.kron(rng.integers(0, 256, (40, 40, 3)), np.ones((4, 4, 1)))
        Image.fromarray(blocks.astype(np.uint8)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(2).random((40, 56, 3), np.float32)


def truth(network, image):
    return keras.ops.convert_to_numpy(network(image[None]))[0]


def psnr(a, b):
    return -10 * np.log10(np.square(a.clip(0, 1) - b.clip(0, 1)).mean())


@pytest.mark.parametrize("ending", [".keras", ".safetensors"])
def test_saved_and_loaded(network, image, tmp_path, ending):
    save_network(network, tmp_path / f"third{ending}")
    again = load_model(tmp_path / f"third{ending}")
    assert type(again) is Third and again.form == "training"
    np.testing.assert_array_equal(truth(again, image), truth(network, image))


def test_folded_exactly(network):
    deploy = fold(network)
    assert deploy.count_params() < network.count_params()
    assert fold_error(network, deploy) <= 1e-5


def test_graph_computes_the_network(network, image):
    graph = graph_of(fold(network))
    values = graph.run(image[None])
    np.testing.assert_allclose(np.asarray(values[graph.output.name])[0], truth(network, image), atol=1e-5)
    assert {"silu", "prelu", "subtract", "affine", "concatenate", "resize_nearest"} <= {n.op for n in graph.nodes.values()}


@pytest.mark.parametrize(("recipe", "bound"), [("float32", 2e-5), ("float16", 2e-2)])
def test_float_files(network, image, tmp_path, recipe, bound):
    card = convert(network, tmp_path / "third.tflite", recipe, (32, 32))
    assert (card.family, card.halo, card.receptive_radius, card.name) == ("Third", 8, 3, "third")
    found = inspect_tflite(tmp_path / "third.tflite")
    assert found.cpu_partitions == 1 and found.gpu_compatible and found.operations["DEPTH_TO_SPACE"] == 1
    engine = CpuEngine(tmp_path / "third.tflite", 1)
    assert np.abs(engine.run(image) - truth(network, image).clip(0, 1)).max() <= bound
    tiles = upscale_array(image, engine, tile=16)
    assert np.abs(tiles - engine.run(image)).max() <= 1e-6


def test_int8_file(network, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("conversion.quantization.int8.CROPS", 6)
    convert(network, tmp_path / "third.tflite", "int8", (32, 32), photos)
    found = inspect_tflite(tmp_path / "third.tflite")
    assert not [d for d in found.dtypes if d.startswith("float")]
    photo = np.asarray(Image.open(photos / "0.png"), np.float32)[:48, :48] / 255
    assert psnr(CpuEngine(tmp_path / "third.tflite", 1).run(photo), truth(network, photo)) >= 30


def test_quantization_aware_training(network, photos, tmp_path):
    from conversion.quantization.qat.run import QatRun, quantize
    from conversion.quantization.qat.settings import QatSettings

    settings = QatSettings(steps=2, batch=2, patch=16, interval=2)
    run = QatRun(tmp_path / "run", photos, None, tmp_path / "cache")
    result = quantize(network, run, settings, (32, 32), "int8", target=tmp_path / "third.tflite")
    assert result.steps == 2 and result.file_psnr_y > 15
    assert set(inspect_tflite(tmp_path / "third.tflite").dtypes) <= {"int8", "int32"}


def test_onnx_out_and_back(network, image, tmp_path):
    assert export_onnx(network, tmp_path / "third.onnx") <= 2e-5
    onnx = ModelSource.of(tmp_path / "third.onnx").predictor()
    assert np.abs(onnx.run(image) - truth(network, image).clip(0, 1)).max() <= 1e-5
    convert_onnx(tmp_path / "third.onnx", tmp_path / "back.tflite", tile=(32, 32))
    assert np.abs(CpuEngine(tmp_path / "back.tflite", 1).run(image) - truth(network, image).clip(0, 1)).max() <= 1e-4


def test_an_operation_without_a_row_names_the_table(image):
    """Control: what nobody described is refused with the cell to fill, not converted to something else."""
    from keras_models.system.errors import ModelError

    source = keras.Input((None, None, 3))
    strange = keras.Model(source, ops.sin(source))
    with pytest.raises(ModelError, match="a Sin has no row: add one to conversion/graph/ops.py"):
        graph_of(strange)
