"""`upscale --gpu` on software Vulkan devices: the CPU's picture, or an error; never another picture and never the CPU in silence."""

import os
import signal

import numpy as np
import pytest
from support.command_line import one_line_error, run
from support.gpu_op_models import enlarging
from support.photos import noise, samples_of, save_pillow

from conversion.engines import gpu as gpu_window_engine
from conversion.engines.cpu import CpuEngine
from conversion.engines.gpu import window_engine
from conversion.gpu.engine import GpuRefusal
from conversion.upscaling.folder import upscale_folder
from conversion.upscaling.pipeline import UpscaleOptions, upscale_array, upscale_file
from keras_models.system.errors import ModelError

IMAGE = np.random.default_rng(0).random((50, 41, 3), np.float32)


@pytest.fixture
def device(software_vulkan):
    return software_vulkan["lavapipe"]


def test_windows_make_the_whole_image(device, tiny_model):
    """The network sees 6 pixels. A file of fixed size runs by its own window of 16, as on the CPU."""
    whole = CpuEngine(tiny_model("random")).run(IMAGE)
    with window_engine(tiny_model("random"), device) as engine:
        assert engine.resizable and engine.software and engine.device
        assert np.abs(upscale_array(IMAGE, engine, 24, 6) - whole).max() <= 1e-4
    fixed = CpuEngine(tiny_model("fixed"))
    with window_engine(fixed.path, device) as engine:
        assert not engine.resizable
        assert np.abs(upscale_array(IMAGE, engine) - upscale_array(IMAGE, fixed)).max() <= 1e-4


def test_wrong_results_are_seen(device, tiny_model, monkeypatch):
    """Control: a GPU that disagrees with the CPU, played by a CPU that disagrees with the GPU."""
    real = CpuEngine.run
    monkeypatch.setattr(CpuEngine, "run", lambda self, window: real(self, window) + 0.01)
    with pytest.raises(ModelError, match="else than the CPU .difference 0.01"), window_engine(tiny_model("random"), device):
        pass


def test_a_gpu_found_wrong_is_asked_for_no_further_photo(device, tiny_model, tmp_path, monkeypatch):
    """The CPU agrees at the file's own window and not at that of the photos: each of them fails, not only the first."""
    real = CpuEngine.run
    monkeypatch.setattr(CpuEngine, "run", lambda self, window: real(self, window) + 0.01 * (len(window) > 16))
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        save_pillow(tmp_path / "in" / name, noise(24, 20))
    with window_engine(tiny_model("random"), device) as engine:
        result = upscale_folder(tmp_path / "in", tmp_path / "out", engine)
    assert [path.name for path, reason in result.failed if "else than the CPU" in reason] == ["a.png", "b.png"]
    assert not result.done and not [*(tmp_path / "out").iterdir()]


def test_a_process_that_dies_costs_one_photo(device, tiny_model, tmp_path):
    source = save_pillow(tmp_path / "a.png", noise(40, 40))
    windows_of_16 = UpscaleOptions(tile=4, halo=6)
    with window_engine(tiny_model("random"), device) as engine:
        engine.child.process.kill()
        with pytest.raises(ModelError, match="a.png: the GPU's process: it was killed .signal 9"):
            upscale_file(source, tmp_path / "b.png", engine, windows_of_16)
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
        upscale_file(source, tmp_path / "b.png", engine, windows_of_16)


@pytest.mark.parametrize("side", [16, 128], ids=["while it computes", "before it has read all"])
def test_a_hang_is_an_error_and_a_late_answer_belongs_to_nobody(side, device, tiny_model, monkeypatch):
    photo = np.random.default_rng(1).random((side, side, 3), np.float32)
    with window_engine(tiny_model("nearest"), device) as engine:
        right = engine.run(photo)
        engine.child.process.send_signal(signal.SIGSTOP)
        with monkeypatch.context() as patched:
            patched.setattr(gpu_window_engine, "TIME_LIMIT_S", 0.1)
            with pytest.raises(ModelError, match="did not answer within 0.1 s"):
                engine.run(np.zeros_like(photo))
        np.testing.assert_array_equal(engine.run(photo), right)


def test_what_no_gpu_takes(device, tiny_model, tmp_path):
    norm = enlarging(tmp_path / "norm.tflite", lambda net, x: net.op("L2_NORMALIZATION", x, options="L2Norm", out=(1, 32, 32, 3)))
    with pytest.raises(GpuRefusal, match="refuses it: L2_NORMALIZATION"), window_engine(norm, device):
        pass
    with pytest.raises(ModelError, match="computes an integer file in float"), window_engine(tiny_model("int8"), device):
        pass


def test_command(device, tiny_model, tmp_path):
    photo = save_pillow(tmp_path / "a.png", noise(50, 41))
    arguments = ("upscale", photo, "--gpu", "--model", tiny_model("random"))
    assert "--gpu: no GPU" in one_line_error(run(*arguments, env={**os.environ, "VK_DRIVER_FILES": str(tmp_path / "none.json")}))
    done = run(*arguments, "--tile", "24", "--halo", "8", env={**os.environ, **device.environment})
    assert done.returncode == 0 and "runs on llvmpipe" in done.stderr and "software on the CPU" in done.stderr
    assert run("upscale", photo, tmp_path / "cpu.png", "--model", tiny_model("random")).returncode == 0
    assert np.abs(samples_of(tmp_path / "a_x2.png").astype(int) - samples_of(tmp_path / "cpu.png")).max() <= 1
