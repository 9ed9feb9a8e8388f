"""The CPU engine runs an 8-bit file in its form for CPUs: made once, proven, and never instead of the right numbers."""

import numpy as np
import pytest
from support.command_line import one_line_error, run_here
from support.int8_nets import Int8Net

from conversion.engines import cpu_form as forms
from conversion.engines import proof as proofs
from conversion.engines.cpu import CpuEngine
from conversion.engines.proof import prove
from conversion.other_forms import write_form
from conversion.tflite.file import read_tflite
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.errors import ConversionError, ModelError


@pytest.fixture
def file(tmp_path, monkeypatch):
    """An int8 file with a GELU in its middle, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng, net = np.random.default_rng(2), Int8Net()
    value = net.op8("GELU", net.conv(net.x, 12, rng, 0.03, -20), scale=0.02, zero=-120, options="Gelu", approximate=False)
    value = net.conv(value, 12, rng, 1 / 255, -128, 0.02)
    path = tmp_path / "x.tflite"
    net.write(path, net.op8("DEPTH_TO_SPACE", value, scale=1 / 255, zero=-128, out=(1, 32, 32, 3), options="DepthToSpace", blockSize=2))
    return path


def without_form(path):
    """The engine as it runs the file itself."""
    return CpuEngine(path, 1, proofs.Proof(True, 1, 100.0, 0, 1, None, True, None, ""))


def picture(height=19, width=23):
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def kept(tmp_path):
    return list((tmp_path / "cache").rglob("*.tflite"))


def test_the_engine_runs_the_form_and_gives_the_files_numbers(file, tmp_path):
    engine = CpuEngine(file, 1)
    (form,) = kept(tmp_path)
    assert form == forms.place_of_form(prove(file).cpu_form) and cpu_partitions(form) == 1 < cpu_partitions(file)
    assert "DEQUANTIZE" in {operation["op_name"] for operation in engine._interpreter._get_ops_details()}  # that is the form
    np.testing.assert_array_equal(engine.infer(picture()), without_form(file).infer(picture()))
    assert not any("slower" in note for note in engine.notes)


def test_it_is_made_once_and_anew_where_it_is_spoilt(file, tmp_path, monkeypatch):
    asked = []
    real = proofs.isolated
    monkeypatch.setattr(proofs, "isolated", lambda *arguments, **options: asked.append(1) or real(*arguments, **options))
    CpuEngine(file, 1), CpuEngine(file, 1)
    assert len(asked) == 2  # the file, and its form
    (form,) = kept(tmp_path)
    whole = form.read_bytes()
    for spoil in (lambda: form.write_bytes(whole[:-100]), form.unlink):
        spoil()
        CpuEngine(file, 1)
        assert form.read_bytes() == whole
    assert len(asked) == 6


def test_a_form_of_other_numbers_is_not_kept(file, tmp_path):
    results = iter([np.zeros(3), np.ones(3)])
    with pytest.raises(ModelError, match="other numbers"):
        forms.make_form(file, lambda path: next(results), tmp_path / "cache")
    assert not kept(tmp_path)


def test_without_its_form_a_file_is_run_as_it_is_and_that_is_said(file, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the cache should be")
    engine = CpuEngine(file, 1)
    np.testing.assert_array_equal(engine.infer(picture()), without_form(file).infer(picture()))
    assert any("slower" in note for note in engine.notes)
    with pytest.raises(ConversionError, match="slower"):
        write_form(file, tmp_path / "y.tflite", "cpu")


def test_the_form_as_a_file(file, tmp_path):
    from conversion.tflite.file import with_metadata

    file.write_bytes(with_metadata(file.read_bytes(), {"name": "tiny", "recipe": "int8"}))
    said = write_form(file, tmp_path / "y.tflite", "cpu")
    assert (said.before, said.after) == (cpu_partitions(file), 1)
    assert read_tflite(tmp_path / "y.tflite").card == {"name": "tiny", "recipe": "int8", "form": "cpu"}
    assert (tmp_path / "y.json").is_file()
    again = CpuEngine(tmp_path / "y.tflite", 1)
    np.testing.assert_array_equal(again.infer(picture()), CpuEngine(file, 1).infer(picture()))
    assert prove(tmp_path / "y.tflite").cpu_form is None


def test_a_file_without_a_better_form_is_refused(tiny_model, tmp_path):
    for name, why in (("random", "does not compute in 8 bits"), ("int8", "takes all")):
        with pytest.raises(ConversionError, match=why):
            write_form(tiny_model(name), tmp_path / "y.tflite", "cpu")
    assert not (tmp_path / "y.tflite").exists()


def test_the_command_writes_it_and_refuses_what_does_not_fit(file, tmp_path, capfd, monkeypatch):
    done = run_here(capfd, monkeypatch, "convert", file, "-o", tmp_path / "y.tflite", "--for", "cpu")
    assert done.returncode == 0 and "1 XNNPACK partition instead of" in done.stdout and (tmp_path / "y.tflite").is_file()
    for more in (("--recipe", "int8"), ("--calibration", tmp_path), ("--tile", "8x8")):
        assert more[0] in one_line_error(run_here(capfd, monkeypatch, "convert", file, "-o", tmp_path / "z.tflite", "--for", "cpu", *more))
    assert "--for" in one_line_error(run_here(capfd, monkeypatch, "convert", "lkdn-s", "-o", tmp_path / "z.tflite", "--for", "cpu"))
    assert "converted already" in one_line_error(run_here(capfd, monkeypatch, "convert", file, "-o", tmp_path / "z.tflite"))
    assert not (tmp_path / "z.tflite").exists()


def test_a_pixel_shuffle_as_a_transposed_convolution(file, tiny_model, tmp_path):
    """Of 8 bits and of float32; more than one block size would be the same kernel, larger."""
    for source in (file, tiny_model("random")):
        write_form(source, tmp_path / "y.tflite", "npu")
        names = [operation.name for operation in read_tflite(tmp_path / "y.tflite").operations]
        assert "DEPTH_TO_SPACE" not in names and "TRANSPOSE_CONV" in names
        plain, made = CpuEngine(source, 1), CpuEngine(tmp_path / "y.tflite", 1)
        np.testing.assert_array_equal(made.infer(picture(16, 16)), plain.infer(picture(16, 16)))
        with pytest.raises(ConversionError, match="no DEPTH_TO_SPACE"):
            write_form(tmp_path / "y.tflite", tmp_path / "z.tflite", "npu")
