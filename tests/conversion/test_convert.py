"""The converted files: agreement, contract, metadata, and half precision's range on real images."""

import json
from collections import Counter

import keras
import numpy as np
import pytest
from PIL import Image
from support.networks import randomise, unscaled_tflite

from conversion.calibration_images import synthetic_images
from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.measuring.inspection import inspect_tflite
from conversion.measuring.verify import verify_tflite
from conversion.recipes import Contract
from conversion.tflite.contract import check_contract
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.half_range import HALF_MAX, measure_half_range
from conversion.tflite.partitions import cpu_partitions
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.system.errors import ConversionError, ImageError, ModelError

RELEASED = ("LKDN-S_x4", *(pytest.param(f"LKDN_x{scale}", marks=pytest.mark.slow) for scale in (2, 3, 4)))
"""One of them by default: the others' code is the same, and `keras_models/test_networks.py` converts a small one of every form."""


def small(blocks, **config):
    """An LKDN that takes a few seconds to convert, as a deploy form."""
    return fold(randomise(LKDN(**{"scale": 2} | config, features=8, attention_channels=6, blocks=blocks)))


@pytest.mark.parametrize("name", RELEASED)
def test_float32_equals_keras(name, converted, released):
    engine, network = CpuEngine(converted(name)), released(name)
    for image in synthetic_images(40, 52):
        expected = np.clip(keras.ops.convert_to_numpy(network(image))[0], 0, 1)
        assert np.abs(engine.run(image[0]) - expected).max() <= 2e-5


@pytest.mark.parametrize("recipe", ["float32", "float16"])
@pytest.mark.parametrize("name", [RELEASED[0], RELEASED[-1]])
def test_file_keeps_the_contract(name, recipe, converted):
    path = converted(name, recipe)
    report = inspect_tflite(path)
    assert report.signatures == {"serving_default": (("image",), ("upscaled",))}
    assert [(t.name, t.shape, t.dtype) for t in report.inputs] == [("image", (1, 64, 64, 3), "float32")]
    assert [(t.name, t.shape, t.dtype) for t in report.outputs] == [("upscaled", (1, 256, 256, 3), "float32")]
    assert report.cpu_partitions == 1 and report.max_rank == 4 and report.scale == 4
    assert "SPACE_TO_BATCH_ND" not in report.operations and not any(":" in name for name in report.operations)
    assert ("float16" in report.weights_bytes) == (recipe == "float16")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card == json.loads(json.dumps(report.card)) and card["recipe"] == recipe and card["scale"] == 4 and card["half_max"] < HALF_MAX


def set5(shared):
    for path in sorted((shared / "data/Set5/LRx4").glob("*.png")):
        yield np.asarray(Image.open(path).convert("RGB"), np.float32)[None] / 255


@pytest.mark.parametrize("name", RELEASED)
def test_no_intermediate_leaves_half_precision_on_set5(name, converted, shared):
    measured = measure_half_range(converted(name), set5(shared))
    assert measured.safe and measured.largest <= HALF_MAX


@pytest.mark.parametrize("name", [RELEASED[0], RELEASED[-1]])
def test_without_rescaling_half_precision_overflows(name, released, shared, tmp_path):
    """Control: the same check on the plain graph fails."""
    path = tmp_path / "plain.tflite"
    path.write_bytes(unscaled_tflite(fold(released(name)), 64))
    measured = measure_half_range(path, set5(shared))
    assert not measured.safe and measured.over


def test_a_file_that_overflows_is_refused_or_says_so(tmp_path):
    network = small(blocks=1)
    conv = network.get_layer("c1")
    conv.set_weights([conv.get_weights()[0] * 1e7, conv.get_weights()[1]])
    network.save(tmp_path / "loud.keras")
    target = tmp_path / "loud.tflite"
    with pytest.raises(ConversionError, match="leave half precision"):
        convert(tmp_path / "loud.keras", target, tile=(32, 32))
    assert not target.exists() and not target.with_suffix(".json").exists()
    card = convert(tmp_path / "loud.keras", target, tile=(32, 32), allow_overflow=True)
    assert card.half_max > HALF_MAX and target.exists()


def test_metadata_keeps_the_function_and_replaces_itself(converted, tmp_path):
    data = converted("LKDN-S_x4").read_bytes()
    twice = with_metadata(with_metadata(data, {"a": 1}), {"b": 2})
    again = tmp_path / "again.tflite"
    again.write_bytes(twice)
    file = read_tflite(again)
    assert file.card == {"b": 2} and list(file.metadata).count("mobile_sr") == 1
    image = synthetic_images(64, 64)[0][0]
    assert np.array_equal(CpuEngine(again).run(image), CpuEngine(converted("LKDN-S_x4")).run(image))


def test_verify_passes_and_fails(converted, reference, released, tmp_path):
    good = verify_tflite(converted("LKDN-S_x4"), reference / "LKDN-S_x4.pth")
    assert good.problems == () and good.max_error <= 2e-5
    wrong = verify_tflite(converted("LKDN-S_x4"), small(blocks=1, scale=4))
    assert any("differs" in problem for problem in wrong.problems)
    with pytest.raises(ModelError, match="one scale"):
        verify_tflite(converted("LKDN-S_x4"), small(blocks=1))


def test_dilated_convolutions_with_free_batch_are_refused(tmp_path):
    """Control of the contract check: the route that the facts warn of."""
    import tensorflow as tf

    path = tmp_path / "free.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(small(blocks=3)).convert())
    names = Counter(op.name for op in read_tflite(path).operations)
    assert names["SPACE_TO_BATCH_ND"] == 3
    with pytest.raises(ConversionError, match="SPACE_TO_BATCH_ND"):
        check_contract(read_tflite(path), Contract())


def test_split_graph_is_counted(tmp_path):
    """Control: without nesting, a CONCATENATION of 6 splits the CPU graph."""
    from conversion.graph.from_keras import graph_of
    from conversion.graph.to_keras import to_keras
    from conversion.tflite.converter import to_tflite

    path = tmp_path / "flat.tflite"
    path.write_bytes(to_tflite(to_keras(graph_of(small(blocks=6)), 64, 64)))
    assert cpu_partitions(path) > 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"recipe": "int4"}, ConversionError, "no such recipe"),
        ({"target": "x.onnx"}, ConversionError, "must end in .tflite"),
        ({"calibration": "nowhere"}, ImageError, "no such folder"),
        ({"tile": 64}, ConversionError, r"tile=64: give height and width in pixels"),
        ({"tile": (64, 0)}, ConversionError, r"tile=\(64, 0\): give height"),
        ({"tile": (64.0, 64)}, ConversionError, r"tile=\(64.0, 64\): give height"),
    ],
)
def test_bad_arguments(arguments, error, words, reference, tmp_path):
    target = tmp_path / arguments.pop("target", "x.tflite")
    with pytest.raises(error, match=words):
        convert(reference / "LKDN-S_x4.pth", target, **{"tile": (16, 16)} | arguments)
    assert not list(tmp_path.iterdir())
