"""Any .onnx is run as it is, in tiles or whole, and gives what onnxruntime gives for the whole image."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support import foreign_onnx as foreign
from support.command_line import one_line_error, run_here
from support.foreign_onnx import CONVERTED, Net, half, written
from support.photos import samples_of, save_pillow, smooth

from conversion.engines.onnx_engine import OnnxEngine
from conversion.engines.values import Said
from conversion.measuring.evaluate import evaluate_model
from conversion.source import ModelSource
from conversion.upscaling.pipeline import upscale_array
from keras_models.data.bicubic import enlarge
from keras_models.system.errors import ModelError

HEIGHT, WIDTH = 75, 101


@pytest.fixture
def photo(tmp_path):
    samples = smooth(HEIGHT, WIDTH)
    return save_pillow(tmp_path / "photo.png", samples), samples


def whole(path, image):
    """By onnxruntime alone; a side that the network cannot run on is filled up by reflection."""
    session = onnxruntime.InferenceSession(str(path))
    (wanted,) = session.get_inputs()
    last = wanted.shape[3] == 3
    for multiple in (1, 2, 4):
        height, width = image.shape[:2]
        filled = np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="reflect")
        given = (filled if last else filled.transpose(2, 0, 1))[None].astype(np.float16 if "16" in wanted.type else np.float32)
        try:
            made = session.run(None, {wanted.name: np.ascontiguousarray(given)})[0][0].astype(np.float32)
        except Exception:  # onnxruntime's own
            continue
        made = made if last else made.transpose(1, 2, 0)
        return made[: 2 * height, : 2 * width] if multiple > 1 else made
    raise AssertionError("runs at no size")


def free_unshuffle():
    """The blocks of a SpaceToDepth: windows must be even."""
    net = Net()
    x = net.op("Relu", net.conv(net.op("SpaceToDepth", "x", blocksize=2), 12, 16))
    detail = net.op("Mul", net.shuffle(net.conv(x, 16, 48, bias=False), 4), net.value(0.1))
    return net.finish(net.op("Add", net.upsample("x", mode="linear"), detail))


SEEN = {
    "PRelu": foreign.prelus,
    "nearest": foreign.upconv(),
    "unshuffle": free_unshuffle,
    "U-Net": foreign.unet,
    "instance norm": foreign.instance_norm,
    "channels last": foreign.channels_last,
    "half": half(foreign.prelus),
    "bicubic": CONVERTED["bicubic"],
}


@pytest.mark.parametrize("name", SEEN)
def test_upscale_gives_what_onnxruntime_gives(name, photo, tmp_path, capfd, monkeypatch):
    """Rounding is half of a level; in half precision another tile may round a value otherwise."""
    path, (source, samples) = written(SEEN[name], tmp_path / "model.onnx"), photo
    done = run_here(capfd, monkeypatch, "upscale", source, tmp_path / "out.png", "--model", path)
    assert done.returncode in (0, None) and not done.stderr, done.stderr
    expected = whole(path, samples.astype(np.float32) / 255).clip(0, 1) * 255
    assert np.abs(samples_of(tmp_path / "out.png").astype(float) - expected).max() <= (1.1 if name == "half" else 0.501)


@pytest.mark.parametrize("name", ["PRelu", "unshuffle", "U-Net"])
def test_tiles_are_the_whole_image(name, photo, tmp_path):
    engine = OnnxEngine(written(SEEN[name], tmp_path / "model.onnx"), 1)
    image = photo[1].astype(np.float32) / 255
    assert engine.stride == {"PRelu": 1, "unshuffle": 2, "U-Net": 4}[name]
    assert np.abs(upscale_array(image, engine, 24) - whole(engine.path, image)).max() <= 1 / 255


def test_brightness_alone_with_colour_by_bicubic(photo, tmp_path):
    engine = OnnxEngine(written(foreign.brightness, tmp_path / "model.onnx"), 1)
    image = photo[1].astype(np.float32) / 255
    luma = (image @ np.float32([0.299, 0.587, 0.114]))[..., None]
    session = onnxruntime.InferenceSession(str(engine.path))
    large = session.run(None, {"x": np.ascontiguousarray(luma.transpose(2, 0, 1)[None])})[0][0].transpose(1, 2, 0)
    result = engine.run(image)
    assert np.abs((result @ np.float32([0.299, 0.587, 0.114]))[..., None] - large).max() <= 1e-5
    assert np.abs(result - result @ np.float32([[0.299] * 3, [0.587] * 3, [0.114] * 3]) - enlarge(image - luma, 2)).max() <= 1e-5
    assert np.abs(upscale_array(image, engine, 24) - result).max() <= 1 / 255


def test_bytes_and_scale_1(photo, tmp_path):
    image = photo[1].astype(np.float32) / 255
    by_bytes = OnnxEngine(written(foreign.bytes_in, tmp_path / "bytes.onnx"), 1)
    session = onnxruntime.InferenceSession(str(by_bytes.path))
    made = session.run(None, {"x": photo[1].transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    assert np.abs(by_bytes.run(image) * 255 - made).max() <= 1e-3
    denoiser = OnnxEngine(written(foreign.denoiser, tmp_path / "one.onnx"), 1)
    assert denoiser.scale == 1 and denoiser.run(image).shape == image.shape


def test_evaluate_takes_them(photo, tmp_path):
    (tmp_path / "HR").mkdir()
    save_pillow(tmp_path / "HR/a.png", smooth(64, 64))
    for make in (half(foreign.prelus), foreign.channels_last, foreign.brightness, foreign.denoiser):
        assert evaluate_model(written(make, tmp_path / "model.onnx"), tmp_path).mean.psnr_y > 25


def test_values_that_were_said_are_taken(tmp_path):
    path = written(foreign.of_255(), tmp_path / "model.onnx")
    image = np.random.default_rng(0).random((40, 30, 3), np.float32)
    session = onnxruntime.InferenceSession(str(path))
    expected = session.run(None, {"x": np.ascontiguousarray(255 * image.transpose(2, 0, 1)[None])})[0][0].transpose(1, 2, 0) / 255
    measured, said = OnnxEngine(path, 1), OnnxEngine(path, 1, Said("0..255"))
    assert "0..255" in measured.notes[0] and not said.notes
    for engine in (measured, said):
        assert np.abs(engine.run(image) - expected).max() <= 1e-4
    assert np.abs(OnnxEngine(path, 1, Said("0..1")).run(image) - expected).max() > 0.2, "control"
    with pytest.raises(ModelError, match="leave it out"):
        ModelSource.of("lkdn-s").saying("0..255")


def endless(path):
    """A Loop that would never end on a photo."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("w", TensorProto.FLOAT, None)],
    )
    net = Net()
    looped = net.op("Loop", "", net.value(True, np.bool_), "x", body=inner)
    onnx.save(net.finish(looped), path)
    return path


def test_files_that_are_no_such_network_are_one_line(photo, tmp_path, capfd, monkeypatch):
    net = Net()
    flat = written(lambda: net.finish(net.op("GlobalAveragePool", "x")), tmp_path / "flat.onnx")
    bad = {endless(tmp_path / "loop.onnx"): "control flow", flat: "number of times larger", tmp_path / "none.onnx": "no such file"}
    for path, words in bad.items():
        line = one_line_error(run_here(capfd, monkeypatch, "upscale", photo[0], tmp_path / "o.png", "--model", path))
        assert words in line and str(path) in line
