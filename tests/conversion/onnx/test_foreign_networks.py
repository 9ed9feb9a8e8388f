"""ONNX as others write it: rewritten it is the same network, converted it is too, and what engines run in pieces is said."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
from support import foreign_onnx as foreign
from support.foreign_onnx import CONVERTED, Net, beside, half, written
from support.photos import noise, save_pillow

from conversion.engines.cpu import CpuEngine
from conversion.engines.values import Said
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx import route, worker
from conversion.onnx.route import convert_onnx
from conversion.onnx.worker import prepare
from keras_models.system.errors import ConversionError, MobileSRError

SIDE = (32, 32)
LOWERED = {"Pad", "Upsample", "HardSigmoid", "HardSwish", "GroupNormalization", "ReduceL2"}
"""Operations that none of these graphs may still hold."""


def as_made(path, image):
    """What onnxruntime makes of (h, w, 3) in [0, 1] by the untouched file."""
    session = onnxruntime.InferenceSession(str(path))
    (wanted,) = session.get_inputs()
    dtype = {"tensor(float16)": np.float16, "tensor(uint8)": np.uint8}.get(wanted.type, np.float32)
    last = wanted.shape[3] in (1, 3) and wanted.shape[1] not in (1, 3)
    given = image[None] if last else image.transpose(2, 0, 1)[None]
    given = np.rint(255 * given) if dtype == np.uint8 else given
    made = session.run(None, {wanted.name: given.astype(dtype)})[0][0]
    made = made.astype(np.float32) / (255 if made.dtype == np.uint8 else 1)
    return made if last else made.transpose(1, 2, 0)


@pytest.mark.parametrize("name", CONVERTED)
def test_rewritten_it_is_the_same_network(name, tmp_path, rng):
    """`prepare` compares as well; here it is another image, and onnxruntime without its own rewrites."""
    path = written(CONVERTED[name], tmp_path / "model.onnx")
    report = prepare(tmp_path, str(path), None if "Pixel" in name else SIDE, SIDE, None)
    assert report.scale in (2, 3) and not report.untried
    left = onnx.load(tmp_path / "rewritten.onnx").graph.node
    assert not LOWERED & {node.op_type for node in left}
    assert all(onnx.helper.get_node_attr_value(node, "mode") == b"linear" for node in left if node.op_type == "Resize")
    image = rng.random((*SIDE, 3), np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(tmp_path / "rewritten.onnx"), options)
    made = session.run(None, {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})[0][0].transpose(1, 2, 0)
    allowed = 2e-3 if name == "half precision" else 1e-5
    assert np.abs(made - as_made(path, image).clip(0, 1)).max() <= allowed


def converted(name, tmp_path, **options):
    path = written(CONVERTED[name], tmp_path / "model.onnx")
    return path, convert_onnx(path, tmp_path / "model.tflite", "float32", SIDE, **options)


def check_file(path, made, tmp_path, rng):
    image = rng.random((*SIDE, 3), np.float32)
    result = CpuEngine(tmp_path / "model.tflite", 1, said=Said("0..1")).run(image)
    assert np.abs(result - as_made(path, image).clip(0, 1)).max() <= 2e-3
    report = inspect_tflite(tmp_path / "model.tflite")
    whole = report.cpu_partitions == 1 and report.max_rank <= 4
    assert whole != any("XNNPACK" in note or "rank" in note for note in made.notes)
    assert (report.card["halo"], report.card["stride"]) == (made.card.halo, made.card.stride)


def test_converted_it_is_the_same_network(tmp_path, rng):
    check_file(*converted("reflect padding", tmp_path), tmp_path, rng)
    assert inspect_tflite(tmp_path / "model.tflite").cpu_partitions == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTED)
def test_each_converts(name, tmp_path, rng):
    check_file(*converted(name, tmp_path), tmp_path, rng)


@pytest.mark.slow
def test_what_is_no_phones_is_said_or_refused(tmp_path):
    path, made = converted("window attention", tmp_path)
    assert [note for note in made.notes if "tensors of rank 6" in note and "for CPUs" in note]
    with pytest.raises(ConversionError, match="make tensors of rank 6.*leave --strict out") as caught:
        convert_onnx(path, tmp_path / "strict.tflite", "float32", SIDE, strict=True)
    assert "\n" not in str(caught.value) and not (tmp_path / "strict.tflite").exists()


@pytest.mark.parametrize("words", ["Could not translate MLIR to FlatBuffer. loc(callsite(fused[...", "status 1, Traceback"])
def test_a_converter_that_fails_names_the_networks_operation(words, tmp_path, monkeypatch):
    def fails(model, half_weights=False):
        raise ConversionError(f"rewritten: the TFLite converter refused the model: {words}")

    monkeypatch.setattr(route, "to_tflite", fails)
    monkeypatch.setattr(route, "saved_model", lambda onnx_file, source: onnx_file)
    net = Net()
    path = written(lambda: beside(net, net.op("Erf", net.conv("x", 3, 8))), tmp_path / "model.onnx")
    monkeypatch.setattr(worker, "LEFTOVERS", {})
    monkeypatch.setattr(route, "read_and_rewrite", lambda path, folder, tile, calibration, said: dataclasses.asdict(
        prepare(folder, str(path), tile, SIDE, None)
    ))
    with pytest.raises(ConversionError, match="its Erf cannot be converted to TFLite: use the .onnx itself") as caught:
        convert_onnx(path, tmp_path / "x.tflite", "float32", SIDE)
    assert not any(word in str(caught.value) for word in ("MLIR", "report", "Traceback", "\n"))


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (foreign.of_255(), "0..255, RGB"),
        (foreign.bytes_in, "0..255, RGB"),
        (foreign.brightness, "0..1, brightness alone"),
        (half(foreign.denoiser), "0..1, RGB"),
    ],
    ids=["0..255", "bytes", "brightness", "half, scale 1"],
)
def test_values_become_those_of_the_contract(make, values, tmp_path, rng):
    path = written(make, tmp_path / "model.onnx")
    report = prepare(tmp_path, str(path), SIDE, SIDE, None)
    assert report.values == values
    channels = 1 if "alone" in values else 3
    image = rng.random((*SIDE, channels), np.float32).round(2)
    session = onnxruntime.InferenceSession(str(tmp_path / "rewritten.onnx"))
    made = session.run(None, {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})[0][0].transpose(1, 2, 0)
    wide = 255 if make is not foreign.bytes_in and "255" in values else 1
    assert np.abs(made - (as_made(path, image * wide) / wide).clip(0, 1)).max() <= (1.01 / 255 if make is foreign.bytes_in else 2e-3)


def test_weights_that_are_no_numbers_are_named(tmp_path):
    model = foreign.prelus()
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(tensor.dims, np.nan, np.float32), tensor.name))
    onnx.save(model, tmp_path / "nan.onnx")
    with pytest.raises(MobileSRError, match="gives NaN or infinity: its weights are broken"):
        prepare(tmp_path, str(tmp_path / "nan.onnx"), SIDE, SIDE, None)


def test_integers_are_fitted_to_photos_and_their_loss_is_said(tmp_path):
    for seed in range(3):
        photo = noise(96, 96, seed=seed) // 2
        photo[:48] += 127  # a bright half, a dark half
        save_pillow(tmp_path / f"{seed}.png", photo)
    path = written(foreign.prelus, tmp_path / "model.onnx")
    made = convert_onnx(path, tmp_path / "m.tflite", "int8", SIDE, tmp_path)
    report = inspect_tflite(tmp_path / "m.tflite")
    assert set(report.dtypes) == {"int8"} and made.card.recipe == "int8"
    (note,) = made.notes
    assert float(note.split()[1]) > 35 and "dB to the float network on 64 crops" in note
