"""The recipe w8a16: an ONNX whose every value is unsigned 16-bit, close to its network, at the size that was asked for."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from support.command_line import one_line_error, run_here
from support.networks import randomise
from support.photos import save_pillow, smooth

from conversion.engines.onnx_engine import OnnxEngine
from conversion.npu.compiling import compile_file
from conversion.npu.package import why_absent
from conversion.npu.socs import socs_named
from conversion.npu.verdict import WIDE_PSNR
from conversion.npu.verify import needed_psnr, verify_on_npu
from conversion.onnx import w8a16
from conversion.onnx.w8a16 import export_w8a16
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.system.errors import ConversionError

TILE = (16, 24)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos with dark and bright places."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        pixels = smooth(160, 160)
        pixels[::7, number::5] = 255 - pixels[::7, number::5]
        pixels[:40, :40] = 5
        save_pillow(folder / f"{number}.png", pixels)
    return folder


@pytest.fixture(scope="module")
def exported(photos, tmp_path_factory):
    """(network, its w8a16 file, dB to it); a random network whose picture is in [0, 1]."""
    network = randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=2), seed=5)
    last = network.get_layer("upsampler").conv
    kernel, bias = last.get_weights()
    last.set_weights([kernel * 0.05, bias * 0 + 0.5])
    path = tmp_path_factory.mktemp("w8a16") / "tiny.onnx"
    return network, path, export_w8a16(network, path, photos, TILE)


def test_every_value_is_unsigned_16_bit_and_weights_have_8(exported):
    _, path, _ = exported
    model = onnx.load(path)
    onnx.checker.check_model(model)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert held[node.input[2]].data_type == TensorProto.UINT16
        if node.op_type == "Conv":
            kernel = made[node.input[1]]
            assert kernel.op_type == "DequantizeLinear" and held[kernel.input[0]].data_type == TensorProto.INT8
        if node.op_type == "LayerNormalization":
            assert held[made[node.input[1]].input[0]].data_type == TensorProto.UINT8
    quantized = {"QuantizeLinear", "DequantizeLinear"}
    for node in model.graph.node:  # nothing is computed of values that were not rounded
        if node.op_type not in quantized:
            assert all(name in held or made[name].op_type in quantized for name in node.input if name), node.op_type


def test_it_is_of_the_size_asked_for_and_says_what_it_is(exported):
    network, path, psnr = exported
    model = onnx.load(path)
    sides = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (model.graph.input[0], model.graph.output[0])]
    assert sides == [[1, 3, *TILE], [1, 3, *(2 * side for side in TILE)]]
    facts = json.loads({entry.key: entry.value for entry in model.metadata_props}["mobile_sr"])
    assert (facts["recipe"], facts["tile"], facts["scale"]) == ("w8a16", list(TILE), 2)
    assert needed_psnr(path) == WIDE_PSNR and psnr > 45


def test_it_is_nearer_to_its_network_than_8_bits_are(exported):
    """On noise, which it was not fitted to; and it is not the network itself."""
    network, path, _ = exported
    image = np.random.default_rng(0).random((*TILE, 3), np.float32) * 0.6 + 0.2
    expected = np.asarray(fold(network)(image[None]))[0].clip(0, 1)
    error = np.abs(OnnxEngine(path).run(image).clip(0, 1) - expected).max()
    assert 1e-6 < error < 4 / 255


def test_a_file_that_is_too_far_is_not_written(exported, photos, tmp_path, monkeypatch):
    network, _, psnr = exported
    monkeypatch.setattr(w8a16, "LEAST_PSNR", psnr + 1)
    with pytest.raises(ConversionError, match=rf"only {psnr:.1f} dB"):
        export_w8a16(network, tmp_path / "x.onnx", photos, TILE)
    assert list(tmp_path.iterdir()) == []


def test_options_that_do_not_fit_are_one_line(tmp_path, photos, capfd, monkeypatch):
    convert = ("convert", "lkdn-s", "--recipe", "w8a16")
    for arguments, words in (
        ((*convert, "-o", tmp_path / "x.onnx"), "give a folder of some dozens as --calibration"),
        ((*convert, "-o", tmp_path / "x.tflite", "--calibration", photos), "a recipe of .onnx files"),
        ((*convert, "-o", tmp_path / "x.onnx", "--calibration", photos, "--npu-gelu"), "--npu-gelu: only a .tflite"),
        ((*convert, "-o", tmp_path / "x.onnx", "--calibration", tmp_path), "no photos in it"),
    ):
        assert words in one_line_error(run_here(capfd, monkeypatch, *arguments))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.npu
@pytest.mark.skipif(why_absent() is not None, reason=f"the extra `npu`: {why_absent()}")
@pytest.mark.parametrize("soc", ["sm8350", "sm8650"])
def test_an_npu_takes_it_whole(soc, exported, tmp_path):
    """Of a Hexagon without half precision too."""
    _, path, _ = exported
    assert compile_file(path, socs_named(soc), tmp_path).files[0].size > 1000
    (check,) = verify_on_npu(OnnxEngine(path), socs_named(soc)).checks
    assert check.problems() == [] and all(tile.psnr is None or tile.psnr >= WIDE_PSNR for tile in check.tiles)
    compiled = tmp_path / f"tiny_{soc.upper()}.onnx"
    with pytest.raises(ConversionError, match="compiled already"):
        compile_file(compiled, socs_named(soc))


@pytest.mark.npu
@pytest.mark.skipif(why_absent() is not None, reason=f"the extra `npu`: {why_absent()}")
def test_what_onnxruntime_would_leave_to_the_cpu_is_named(tmp_path):
    """An operation that a Hexagon has not, behind one that it has."""
    image = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    result = onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, 8, 8))
    nodes = [onnx.helper.make_node("Relu", ["x"], ["r"]), onnx.helper.make_node("Atanh", ["r"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", [image], [result])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), tmp_path / "a.onnx")
    with pytest.raises(ConversionError, match="left to the CPU: Atanh"):
        compile_file(tmp_path / "a.onnx", socs_named("sm8650"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
