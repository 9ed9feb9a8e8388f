import numpy as np
import pytest
from support.tiny_models import RECEPTIVE_FIELD, SCALE, TILE, convert, nearest

from conversion.engines.cpu import CpuEngine
from keras_models.system.errors import ModelError


def picture(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def test_reads_scale_and_tile_from_the_shapes(tiny_model):
    engine = CpuEngine(tiny_model("nearest"), threads=2)
    assert (engine.scale, engine.tile, engine.resizable) == (SCALE, (TILE, TILE), True)
    assert engine.input_dtype == engine.output_dtype == np.float32
    assert engine.threads == 2


@pytest.mark.parametrize("size", [(TILE, TILE), (1, 1), (1, 37), (29, 23), (TILE, TILE)])
def test_runs_any_window(tiny_model, size):
    window = picture(*size)
    result = CpuEngine(tiny_model("nearest")).run(window)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, nearest(window))


def test_changes_window_size_back_and_forth(tiny_model):
    engine = CpuEngine(tiny_model("random"))
    first = engine.run(picture(20, 30))
    engine.run(picture(7, 5, seed=1))
    np.testing.assert_array_equal(engine.run(picture(20, 30)), first)


def test_results_stay_valid_after_the_next_run(tiny_model):
    engine = CpuEngine(tiny_model("nearest"))
    first = engine.run(picture(8, 8))
    engine.run(picture(8, 8, seed=1))
    np.testing.assert_array_equal(first, nearest(picture(8, 8)))


def test_file_of_fixed_size(tiny_model):
    engine = CpuEngine(tiny_model("fixed"))
    assert not engine.resizable
    assert engine.run(picture(TILE, TILE)).shape == (TILE * SCALE, TILE * SCALE, 3)
    with pytest.raises(ModelError, match="runs only at 16x16"):
        engine.run(picture(20, 20))


def test_file_of_free_size(tiny_model):
    engine = CpuEngine(tiny_model("free_size"))
    assert engine.resizable and engine.scale == SCALE
    np.testing.assert_array_equal(engine.run(picture(5, 9)), nearest(picture(5, 9)))


def test_int8_is_quantized_by_its_own_parameters(tiny_model):
    engine = CpuEngine(tiny_model("int8"))
    assert engine.input_dtype == engine.output_dtype == np.int8
    window = picture(19, 11)
    error = np.abs(engine.run(window) - nearest(window))
    assert error.max() <= 1.5 / 255
    assert error.max() > 0


@pytest.mark.parametrize(
    ("name", "reason"), [("classifier", "not super-resolution"), ("uneven", "not super-resolution"), ("missing", "no such model file")]
)
def test_refuses_what_is_not_super_resolution(tiny_model, tmp_path, name, reason):
    path = tmp_path / "missing.tflite" if name == "missing" else tiny_model(name)
    with pytest.raises(ModelError, match=reason):
        CpuEngine(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_refuses_a_file_cut_off_anywhere(tiny_model, tmp_path, share):
    data = tiny_model("random").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError) as caught:
        CpuEngine(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_refuses_text(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("This is not a model, whatever its name says.")
    with pytest.raises(ModelError, match="not a TFLite file"):
        CpuEngine(path)


def test_refuses_offsets_that_lead_nowhere(tiny_model, tmp_path):
    """Whatever a damaged file does, the answer is one error or a working engine, and never a crash."""
    data = bytearray(tiny_model("nearest").read_bytes())
    data[0:4] = (len(data) * 2).to_bytes(4, "little")
    path = tmp_path / "root.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        CpuEngine(path)


def test_says_nothing_on_stderr(tiny_model, capfd):
    CpuEngine(tiny_model("nearest")).run(picture(9, 9))
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""


def test_receptive_field_of_the_test_network(tiny_model):
    """The seam tests lean on this number: one pixel further has no influence, one nearer has."""
    engine = CpuEngine(tiny_model("random"))
    image = picture(40, 40)
    changed = image.copy()
    changed[20, 20] += 0.5
    rows = np.abs(engine.run(image) - engine.run(changed)).max(axis=(1, 2)).reshape(40, SCALE).max(axis=1).nonzero()[0]
    assert (rows.min(), rows.max()) == (20 - RECEPTIVE_FIELD, 20 + RECEPTIVE_FIELD)


def test_rows_and_columns_exchanged_are_no_other_size(tmp_path):
    """Every square window comes out with the sides that were wanted; a photo's tiles are not all square."""

    def exchanged(image):
        import tensorflow as tf

        return {"upscaled": tf.transpose(tf.repeat(tf.repeat(image, 2, 1), 2, 2), (0, 2, 1, 3))}

    path = tmp_path / "a.tflite"
    path.write_bytes(convert(exchanged, (1, 64, 64, 3)))
    engine = CpuEngine(path, 1)
    assert not engine.resizable
    window = np.random.default_rng(0).random((64, 64, 3), np.float32)
    np.testing.assert_allclose(engine.infer(window), window.repeat(2, 0).repeat(2, 1).transpose(1, 0, 2), atol=1e-6)
