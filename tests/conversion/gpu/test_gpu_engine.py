"""LiteRT's GPU engine on software Vulkan devices: what ships runs whole and right in both precisions, and what is wrong is caught."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import one_line_error, run
from support.gpu_op_models import Net, constant, enlarging
from support.networks import unscaled_tflite

from conversion.engines.cpu import CpuEngine
from conversion.gpu.devices import VulkanDevice, system_device
from conversion.gpu.engine import GpuJob, GpuRefusal, NoVulkanDevice, run_jobs, run_on_gpu
from conversion.gpu.verify import HALF_PHOTO_PSNR, SINGLE_TOLERANCE, GpuCheck, ImageCheck, verify_on_gpu
from conversion.measuring.verify import verify_tflite
from conversion.tflite.file import read_tflite
from conversion.tflite.retile import at_tile
from keras_models.folding import fold
from keras_models.metrics import measure, to_uint8
from keras_models.presets import WEIGHTS
from keras_models.system.errors import ModelError

SHIPPED = [path for path in sorted(WEIGHTS.glob("*.tflite")) if {t.dtype for t in read_tflite(path).tensors}.isdisjoint({"int8", "int16"})]


@pytest.fixture(autouse=True)
def without_a_real_gpu(monkeypatch):
    """The software devices are what is tested, on machines with a GPU too."""
    monkeypatch.setattr("conversion.gpu.verify.system_device", lambda: None)


def assert_good(verdict):
    """Single precision within 1e-4 everywhere; half precision seen where the device has it, and close enough."""
    assert verdict.refused is None and verdict.problems() == []
    seen = {(check.device.split()[0], check.asked, check.computed) for check in verdict.checks}
    assert seen == {
        ("SwiftShader", "float32", "float32"),
        ("SwiftShader", "float16", "float32"),
        ("llvmpipe", "float32", "float32"),
        ("llvmpipe", "float16", "float16"),
    }
    for check in verdict.checks:
        for image in check.images:
            assert image.finite and not image.constant
            if check.computed == "float32":
                assert image.max_error <= SINGLE_TOLERANCE
            elif image.image == "dead leaves" or image.image.startswith("photo"):
                assert HALF_PHOTO_PSNR <= image.psnr < 100


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=pytest.mark.slow if "-photo" in p.stem else []) for p in SHIPPED])
def test_every_shipped_file_runs_on_the_gpu(path, software_vulkan, tmp_path):
    small = tmp_path / path.name
    small.write_bytes(at_tile(path.read_bytes(), 48, 48))
    assert_good(verify_on_gpu(CpuEngine(small)))


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", [pytest.param("float32", marks=pytest.mark.slow), "float16"])
@pytest.mark.parametrize("name", ["LKDN-S_x4", pytest.param("LKDN_x4", marks=pytest.mark.slow)])
def test_released_networks_on_photos(name, recipe, converted, software_vulkan, shared):
    result = verify_tflite(converted(name, recipe), gpu=True, photos=shared / "data/val")
    assert result.problems == ()
    assert_good(result.gpu)
    assert "fully accelerated" in result.as_text() and "photo 4" in result.as_text()
    json.dumps(result.as_json(), allow_nan=False)


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", ["float16", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["span_x4", pytest.param("random_compact_x4", marks=pytest.mark.slow)])
def test_plain_convolutional_networks(name, recipe, converted, software_vulkan, shared):
    """Whole and right in both precisions; SPAN amplifies rounding, so its noise is judged by what rounding the image does."""
    verdict = verify_on_gpu(CpuEngine(converted(name, recipe)), shared / "data/val")
    assert verdict.refused is None and verdict.problems() == []
    photos = [image for check in verdict.checks if check.computed == "float16" for image in check.images if image.image.startswith("photo")]
    assert len(photos) == 4 and all(image.psnr >= HALF_PHOTO_PSNR for image in photos)


def test_bounds_follow_the_networks_own_amplification():
    """Where rounding the image changes the result much, more is allowed; a network that does not amplify gets the fixed bounds."""
    calm, wild = (ImageCheck("noise", True, False, 2e-4, 36.0, change, psnr) for change, psnr in ((1e-3, 77.0), (0.06, 58.4)))
    assert calm.allowed == SINGLE_TOLERANCE and calm.needed == 40
    assert 3e-4 < wild.allowed < 4e-4 and 25 < wild.needed < 26
    checks = [GpuCheck("d", True, computed, computed, (calm, wild), 0, 0) for computed in ("float32", "float16")]
    assert [len(check.problems()) for check in checks] == [1, 1]


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["LKDN-S_x4", pytest.param("LKDN_x4", marks=pytest.mark.slow)])
def test_without_rescaling_half_precision_fails(name, released, software_vulkan, tmp_path):
    """Control: the plain graph is right in single precision and destroys the image in half."""
    path = tmp_path / "plain.tflite"
    path.write_bytes(unscaled_tflite(fold(released(name)), 48))
    verdict = verify_on_gpu(CpuEngine(path))
    problems = verdict.problems()
    assert problems and all(problem.startswith("float16 on llvmpipe") for problem in problems)
    assert any("noise" in problem for problem in problems)  # photographs have less range: some survive in LKDN-S


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("name", ["LKDN-S_x4", "LKDN_x4"])
def test_half_precision_on_set5(name, converted, software_vulkan, shared, tmp_path):
    """Whole images: finite, 50 dB to float32 and more, and at most 0.02 dB of quality."""
    changes = []
    for low_path in sorted((shared / "data/Set5/LRx4").glob("*.png")):
        low = np.asarray(Image.open(low_path).convert("RGB"), np.float32) / 255
        high = np.asarray(Image.open(shared / "data/Set5/HR" / low_path.name).convert("RGB"))[: 4 * low.shape[0], : 4 * low.shape[1]]
        path = tmp_path / "whole.tflite"
        path.write_bytes(at_tile(converted(name).read_bytes(), *low.shape[:2]))
        half = run_on_gpu(GpuJob(path, low[None, None], half=True), software_vulkan["lavapipe"]).outputs[0, 0]
        exact = CpuEngine(path).run(low)
        assert np.isfinite(half).all()
        assert -10 * np.log10(((half - exact) ** 2).mean()) >= HALF_PHOTO_PSNR
        changes.append(measure(to_uint8(half), high, 4).psnr_y - measure(to_uint8(exact), high, 4).psnr_y)
    assert abs(np.mean(changes)) <= 0.02


@pytest.mark.gpu
def test_a_refused_operation_is_named(tmp_path, software_vulkan):
    path = enlarging(tmp_path / "norm.tflite", lambda net, x: net.op("L2_NORMALIZATION", x, options="L2Norm", out=(1, 32, 32, 3)))
    verdict = verify_on_gpu(CpuEngine(path))
    assert verdict.checks == () and "L2_NORMALIZATION" in verdict.refused
    with pytest.raises(GpuRefusal, match="L2_NORMALIZATION"):
        run_on_gpu(GpuJob(path, np.zeros((1, 1, 16, 16, 3), np.float32)), software_vulkan["swiftshader"])


@pytest.mark.gpu
def test_wrong_values_are_caught(tmp_path, software_vulkan):
    """The engine runs this file as if all were well; see the corrections of the operator table."""

    def difference_of_halves(net, x):
        wide = net.op("CONCATENATION", x, net.op("SQRT", x, out=(1, 32, 32, 3)), options="Concatenation", axis=3, out=(1, 32, 32, 6))
        halves = net.op("SPLIT", np.asarray(3, np.int32), wide, options="Split", numSplits=2, outs=[(1, 32, 32, 3)] * 2)
        return net.op("SUB", *halves, options="Sub", out=(1, 32, 32, 3))

    verdict = verify_on_gpu(CpuEngine(enlarging(tmp_path / "halves.tflite", difference_of_halves)))
    assert any("differs from the CPU" in problem for problem in verdict.problems())


@pytest.mark.gpu
def test_a_constant_image_is_caught(tmp_path, software_vulkan):
    """Half precision flushes the smallest numbers to zero, so that this file gives grey there and an image in single."""

    def through_tiny(net, x):
        tiny = net.op("MUL", net.op("MUL", x, np.float32(1e-5), options="Mul", out=(1, 32, 32, 3)), np.float32(1e-5), options="Mul",
                      out=(1, 32, 32, 3))  # fmt: skip
        return net.op("MUL", tiny, np.float32(1e10), options="Mul", out=(1, 32, 32, 3))

    problems = verify_on_gpu(CpuEngine(enlarging(tmp_path / "tiny.tflite", through_tiny))).problems()
    assert problems and all(problem.startswith("float16 on llvmpipe") for problem in problems)
    assert any("constant" in problem or "not finite" in problem for problem in problems)


@pytest.mark.gpu
def test_a_crash_and_a_hang_are_errors_of_their_job(tmp_path, software_vulkan):
    net = Net((1, 2, 6, 4))  # the engine aborts on a matrix product of one tensor with itself
    net.write(tmp_path / "crash.tflite", net.op("BATCH_MATMUL", net.x, net.x, options="BatchMatMul", adjY=True, out=(1, 2, 6, 6)))
    fine = Net((1, 8, 8, 4))
    fine.write(tmp_path / "fine.tflite", fine.op("MUL", fine.x, constant(4), options="Mul"))
    jobs = [
        GpuJob(tmp_path / "fine.tflite", np.ones((2, 1, 8, 8, 4), np.float32)),
        GpuJob(tmp_path / "crash.tflite", np.ones((1, 1, 2, 6, 4), np.float32)),
    ]
    good, bad = run_jobs(jobs, software_vulkan["swiftshader"])
    assert good.software and good.device.startswith("SwiftShader") and len(good.run_s) == 2
    assert np.array_equal(good.outputs[1, 0, 0, 0], constant(4))
    assert isinstance(bad, ModelError) and "it crashed (" in str(bad), str(bad)
    (late,) = run_jobs(jobs[:1], software_vulkan["swiftshader"], time_limit_s=0.001)
    assert "did not answer within 0.001 s" in str(late)


@pytest.mark.gpu
def test_a_driver_without_a_device(tiny_model, tmp_path, software_vulkan, monkeypatch):
    job = GpuJob(tiny_model("nearest"), np.zeros((1, 1, 16, 16, 3), np.float32))
    nothing = {name: str(tmp_path / "none.json") for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")}
    with pytest.raises(NoVulkanDevice, match="show no device"):
        run_on_gpu(job, VulkanDevice("system", software_vulkan["swiftshader"].environment | nothing))
    monkeypatch.setattr("conversion.gpu.verify.system_device", system_device)
    monkeypatch.setenv("VK_DRIVER_FILES", nothing["VK_DRIVER_FILES"])  # the software devices step in
    verdict = verify_on_gpu(CpuEngine(tiny_model("nearest")))
    assert {check.device.split()[0] for check in verdict.checks} == {"SwiftShader", "llvmpipe"}


def test_without_any_device_there_is_one_line(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="run scripts/gpu_packages.sh"):
        verify_on_gpu(CpuEngine(tiny_model("nearest")))


def test_integer_files_are_refused(tiny_model):
    with pytest.raises(ModelError, match="integer"):
        verify_on_gpu(CpuEngine(tiny_model("int8")))


@pytest.mark.gpu
def test_command_line(tiny_model, tmp_path, software_vulkan, monkeypatch):
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "none.json"))
    good = run("verify", tiny_model("random"), "--gpu", "--json", "-")
    checks = json.loads(good.stdout)["gpu"]["checks"]
    assert good.returncode == 0 and [c["computed"] for c in checks] == ["float32", "float32", "float32", "float16"]
    path = enlarging(tmp_path / "norm.tflite", lambda net, x: net.op("L2_NORMALIZATION", x, options="L2Norm", out=(1, 32, 32, 3)))
    assert "the GPU engine refuses it: L2_NORMALIZATION" in one_line_error(run("verify", path, "--gpu"))
    assert "--gpu" in one_line_error(run("verify", path, "--data", tmp_path))


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_packages_script_says_one_line_offline(tmp_path):
    script = Path(__file__).parents[3] / "scripts/gpu_packages.sh"
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **nowhere}
    run = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1 and run.stdout == "" and len(run.stderr.strip().splitlines()) == 1
    assert run.stderr.startswith("gpu_packages.sh: ")
    assert not list((tmp_path / ".cache/mobile-sr").iterdir())
