"""The checker's table against LiteRT's real GPU engine, operation by operation: where they differ the engine is right."""

import pytest
from support.gpu_op_engine import engine_answers
from support.gpu_op_models import CASES, build

from conversion.gpu.ops import RULES, check_gpu, gpu_table
from conversion.measuring.inspection import inspect_tflite
from keras_models.lkdn import LKDN
from keras_models.system.errors import ModelError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return build(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="module")
def engine_says(files, software_vulkan):
    """Case name -> None if the GPU engine takes the file and gives the CPU's values, else what it does instead."""
    return engine_answers(files, software_vulkan["swiftshader"])


def test_checker_agrees_with_the_engine(files, engine_says):
    different = {}
    for name, path in files.items():
        verdict = check_gpu(path)
        if verdict.compatible != (engine_says[name] is None):
            different[name] = (verdict.reasons, engine_says[name])
    assert not different


def test_every_correction_was_seen(engine_says):
    """Each op that the table corrects is among the cases, and the engine still does what the correction says."""
    table = gpu_table()
    corrected = {op: entry["correction"]["engine"] for op, entry in {**table["ops"], **table["refused"]}.items() if "correction" in entry}
    for op, engine in corrected.items():
        results = [said for name, said in engine_says.items() if CASES[name][0] == op]
        if op in table["refused"]:
            assert results and all(results), op
        else:
            assert None in results, op
        if "wrong values" in engine:
            assert "wrong values" in results, op
        elif "refused" in engine or "dies" in engine:
            assert any(results), op


def test_cases_cover_the_table():
    table = gpu_table()
    about = {operation for operation, _, _ in CASES.values()}
    assert set(table["ops"]) - about == {"QUANTIZE"}  # needs an integer file
    assert {rule for entry in table["ops"].values() for rule in entry.get("rules", ())} == set(RULES)


def test_reasons_name_the_operation_and_the_table(files):
    assert check_gpu(files["SOFTMAX"]).compatible
    verdict = check_gpu(files["SOFTMAX beta 2"])
    assert verdict.reasons == ("SOFTMAX: beta 2",)
    assert "f6745779" in verdict.table and "ai-edge-litert 2.3.0" in verdict.table
    assert "a tensor of rank 5: 4 is the most (2 times)" in check_gpu(files["TRANSPOSE of rank 5"]).reasons


def test_inspect_reports_the_verdict(converted, tmp_path):
    good = inspect_tflite(converted("LKDN-S_x4", "float16"))
    assert good.gpu_compatible and good.gpu_reasons == ()
    import tensorflow as tf

    free = tmp_path / "free.tflite"  # a dynamic batch: dilated convolutions become SPACE_TO_BATCH_ND
    free.write_bytes(tf.lite.TFLiteConverter.from_keras_model(LKDN(scale=2, features=4, attention_channels=4, blocks=2)).convert())
    bad = inspect_tflite(free)
    assert not bad.gpu_compatible
    assert any(reason.startswith("SPACE_TO_BATCH_ND: not supported (2 times)") for reason in bad.gpu_reasons)
    assert "SPACE_TO_BATCH_ND" in bad.as_text() and "f6745779" in bad.as_text()


def test_a_damaged_file_is_one_error(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + b"\xff" * 64)
    with pytest.raises(ModelError, match="damaged"):
        check_gpu(path)
