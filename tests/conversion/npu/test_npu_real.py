"""Qualcomm's compiler and emulation on real files: what they make, what they refuse, and that wrong results are seen.

Skipped without the extra `npu`, which nothing installs by itself: `pip install .[npu]`, then `pytest -m npu`.
"""

import json
import os
import shutil

import numpy as np
import onnx
import pytest
from support.command_line import one_line_error, run_here
from support.disks import mounted
from support.gpu_op_models import Net
from support.tiny_models import TILE, convert

from conversion.engines.cpu import CpuEngine
from conversion.measuring.inspection import inspect_tflite
from conversion.measuring.verify import verify_tflite
from conversion.npu.card import card_of, soc_of
from conversion.npu.compiling import compile_file
from conversion.npu.context import read_context, write_context_onnx
from conversion.npu.emulator import emulated
from conversion.npu.package import QAIRT, why_absent
from conversion.npu.socs import SOCS, socs_named
from conversion.npu.tiles import made_up_tiles
from conversion.npu.verdict import INTEGER_PSNR, compare
from conversion.npu.verify import npu_run, verify_compiled, verify_on_npu
from conversion.tflite.file import read_tflite
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ConversionError, ModelError, OutputError

ABSENT = why_absent()
pytestmark = [pytest.mark.npu, pytest.mark.skipif(ABSENT is not None, reason=f"the extra `npu`: {ABSENT}")]

GEN3 = SOCS["SM8650"]


@pytest.fixture(scope="module")
def plain(tiny_model, tmp_path_factory):
    """An int8 file of the tests' own, in a folder where files may be put beside it."""
    path = tmp_path_factory.mktemp("plain") / "tiny.tflite"
    shutil.copy(tiny_model("int8"), path)
    return path


@pytest.fixture(scope="module")
def compiled(plain):
    """It, compiled for two SoCs."""
    return compile_file(plain, socs_named("sm8350,sm8650"))


def depthwise_int16():
    """A file of 16-bit integers with the one convolution of them that a Hexagon has not, in front of one that it has."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernels = [rng.normal(0, 0.2, shape).astype(np.float32) for shape in ((3, 3, 3, 1), (1, 1, 3, 12))]

    def graph(image):
        y = tf.nn.depthwise_conv2d(image, kernels[0], [1, 1, 1, 1], "SAME")
        return {"upscaled": tf.nn.conv2d(y, kernels[1], 1, "SAME")}

    spec = tf.TensorSpec((1, TILE, TILE, 3), tf.float32, name="image")
    converter = tf.lite.TFLiteConverter.from_concrete_functions([tf.function(graph, input_signature=[spec]).get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.random((1, TILE, TILE, 3), np.float32)] for _ in range(4))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    return converter.convert()


def test_one_file_a_soc_with_its_card_beside_the_plain_one(plain, compiled, tmp_path):
    assert [file.soc for file in compiled.files] == ["SM8350", "SM8650"]
    for file in compiled.files:
        path = plain.with_name(f"tiny_{file.soc}.tflite")
        assert file.file == str(path) and file.size == path.stat().st_size and file.operations == len(read_tflite(plain).operations)
        card = card_of(path)["npu"]
        assert (card["soc"], card["qairt"], card["source_sha256"]) == (file.soc, QAIRT, sha256_of(plain))
        assert json.loads(path.with_suffix(".json").read_text()) == card_of(path) and soc_of(path, plain) == SOCS[file.soc]
        assert read_context(path).inputs[0][1] == (1, TILE, TILE, 3)
    elsewhere = compile_file(plain, [GEN3], tmp_path / "new/folder")
    assert (tmp_path / "new/folder/tiny.tflite").read_bytes() == plain.read_bytes() == (plain.parent / elsewhere.plain).read_bytes()
    assert (tmp_path / "new/folder/tiny_SM8650.tflite").read_bytes() == plain.with_name("tiny_SM8650.tflite").read_bytes()


def test_the_command_says_whose_licence_stands_first(plain, compiled, tmp_path, capfd, monkeypatch):
    done = run_here(capfd, monkeypatch, "compile", plain, "--soc", "sm8750", "-o", tmp_path)
    assert done.returncode == 0 and "Qualcomm's own licence" in done.stdout.splitlines()[0]
    assert "2 of 2 operations on the NPU, 1 partition" in done.stdout and "SM8750 (Snapdragon 8 Elite)" in done.stdout


def test_the_emulation_gives_the_cpu_s_picture(plain, compiled):
    verdict = verify_tflite(plain, npu=socs_named("sm8350,sm8650")).npu
    assert verdict.problems == () and [check.soc for check in verdict.checks] == ["SM8350", "SM8650"]
    for check in verdict.checks:
        assert len(check.tiles) == 2 and all(tile.psnr is None or tile.psnr >= 48 for tile in check.tiles)


def test_another_network_s_file_is_seen(compiled, plain, tmp_path):
    """Control: the context of one network, the CPU's result of another."""
    other = tmp_path / "other.tflite"
    kernel = np.tile(np.eye(3, dtype=np.float32), (1, 4))[None, None]

    def graph(image):
        import tensorflow as tf

        blurred = tf.nn.avg_pool2d(image, 5, 1, "SAME")
        return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(blurred, kernel, 1, "SAME"), 2)}

    rng = np.random.default_rng(3)
    other.write_bytes(convert(graph, representative=[rng.random((1, TILE, TILE, 3), dtype=np.float32) for _ in range(4)]))
    path = plain.with_name("tiny_SM8650.tflite")
    with pytest.raises(ModelError, match="not made of"):
        verify_compiled(path, CpuEngine(other))
    engine = CpuEngine(other)
    with npu_run(engine, path, GEN3) as run:
        checks = compare(made_up_tiles(engine.tile), engine.run, run)
    assert all(check.psnr < INTEGER_PSNR for check in checks)
    assert verify_compiled(path, CpuEngine(plain)).problems == ()


def test_a_float_file_runs_in_half_precision_where_there_is_one(tiny_model):
    verdict = verify_on_npu(CpuEngine(tiny_model("random")), [GEN3])
    assert verdict.problems == ()
    assert all(tile.psnr is not None and 48 <= tile.psnr < 100 for check in verdict.checks for tile in check.tiles)


@pytest.mark.parametrize("soc", ["sm8350", "sm8635"])
def test_a_float_file_for_integers_alone_is_refused(soc, tiny_model, tmp_path):
    """On a V68, and on a V73 of the middle class, of whose architecture others have half precision."""
    net = Net((1, 8, 8, 8))
    net.write(tmp_path / "gelu.tflite", net.op("GELU", net.x, options="Gelu"))
    with pytest.raises(ConversionError, match="computes no half precision: convert with `recipe` int8"):
        compile_file(tmp_path / "gelu.tflite", socs_named(soc), tmp_path / "out")
    assert os.listdir(tmp_path) == ["gelu.tflite"]


def gelu(net):
    return net.op("GELU", net.x, options="Gelu")


def gelu_of_parts(net):
    """As `conversion.graph.gelu_parts` writes it, less the limit that these values do not need."""

    def times(a, b):
        return net.op("MUL", a, b, options="Mul")

    square = times(net.x, net.x)
    slope = net.op("ADD", times(square, np.float32(0.0713548)), np.float32(1.5957691), options="Add")
    return times(net.x, net.op("LOGISTIC", times(net.x, slope)))


@pytest.mark.parametrize(("form", "low", "high"), [(gelu, 1e-3, 3e-3), (gelu_of_parts, -2e-4, 2e-4)])
def test_the_gelu_of_the_hexagon_is_too_large_and_its_parts_are_not(form, low, high, tmp_path):
    """What `npu_gelu` is for: the mean error of 32,768 values."""
    from scipy.special import ndtr

    net = Net((1, 64, 64, 8))
    net.write(tmp_path / "gelu.tflite", form(net))
    compile_file(tmp_path / "gelu.tflite", [GEN3])
    write_context_onnx(read_context(tmp_path / "gelu_SM8650.tflite"), tmp_path / "gelu.onnx")
    x = (np.random.default_rng(0).standard_normal((1, 64, 64, 8)) * 4).astype(np.float16).astype(np.float32)
    with emulated(tmp_path / "gelu.onnx", GEN3, "gelu") as run:
        assert low < float((run(x) - x * ndtr(x)).mean()) < high


@pytest.mark.slow
@pytest.mark.parametrize("soc", SOCS.values(), ids=SOCS)
def test_every_soc_of_the_list_is_what_it_says(soc, plain, tmp_path):
    """The compiler knows it, the emulation takes its number and architecture, and it has half precision or has not."""
    assert verify_on_npu(CpuEngine(plain), [soc]).problems == ()
    net = Net((1, 8, 8, 8))
    net.write(tmp_path / "gelu.tflite", net.op("GELU", net.x, options="Gelu"))
    try:
        made = compile_file(tmp_path / "gelu.tflite", [soc], tmp_path).files
    except ConversionError as error:
        assert not soc.half and "no half precision" in str(error)
    else:
        assert soc.half and len(made) == 1


def test_what_is_left_is_named_and_nothing_is_written(tmp_path):
    (tmp_path / "w.tflite").write_bytes(depthwise_int16())
    with pytest.raises(ConversionError, match=r"left to the CPU: 1 DEPTHWISE_CONV_2D of int16: .* `recipe` int8"):
        compile_file(tmp_path / "w.tflite", socs_named("sm8650,sm8750"), tmp_path / "out")
    assert os.listdir(tmp_path) == ["w.tflite"]
    qualcomm = inspect_tflite(tmp_path / "w.tflite", npu=True).npu
    assert qualcomm.whole is False and any("DEPTHWISE_CONV_2D" in reason for reason in qualcomm.reasons)


def test_the_compiler_speaks_in_inspect(plain):
    qualcomm = inspect_tflite(plain, npu=True).npu
    assert qualcomm.whole is True and "QAIRT" in qualcomm.by and qualcomm.reasons == ()


def test_damaged_files_are_one_line(plain, tmp_path, capfd, monkeypatch):
    data = plain.read_bytes()
    for number, damaged in enumerate((data[: len(data) // 2], b"", data[:40] + bytes(200) + data[240:], b"no model" * 20)):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(damaged)
        one_line_error(run_here(capfd, monkeypatch, "compile", path, "--soc", "sm8650", "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_context_of_another_version_is_one_line(compiled, plain, tmp_path):
    """By its card; and by Qualcomm's library, where no card says so: here a byte of the context's head is another."""
    path = tmp_path / "c.onnx"
    context = read_context(plain.with_name("tiny_SM8650.tflite"))
    write_context_onnx(context, path)
    with emulated(path, GEN3, "c") as run:
        run(np.zeros((1, TILE, TILE, 3), np.int8))
    model = onnx.load(path)
    (binary,) = [attribute for attribute in model.graph.node[0].attribute if attribute.name == "ep_cache_context"]
    binary.s = bytes(64) + binary.s[64:]
    onnx.save(model, path)
    with pytest.raises(ModelError, match="another version's or another SoC's, or damaged"), emulated(path, GEN3, "c"):
        pass


def test_a_time_limit_ends_the_compiler_and_leaves_nothing(plain, tmp_path):
    with pytest.raises(ConversionError, match=r"did not answer within 0\.01 s"):
        compile_file(plain, [GEN3], tmp_path / "out", time_limit_s=0.01)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(plain, tmp_path):
    with mounted(tmp_path / "disk", "size=8k") as disk, pytest.raises(OutputError, match="No space left"):
        try:
            compile_file(plain, [GEN3], disk)
        finally:
            assert os.listdir(disk) == []


def test_a_disk_that_fills_up_while_compiling_is_one_line(plain, tmp_path, capfd, monkeypatch):
    """The compiler's own folder is full: it leaves an empty file, and ends as if all were well or not; nothing of it is seen."""
    with mounted(tmp_path / "disk", "size=8k") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        one_line_error(run_here(capfd, monkeypatch, "compile", plain, "--soc", "sm8650", "-o", tmp_path / "out"))
        assert os.listdir(disk) == []
    assert not (tmp_path / "out").exists()
