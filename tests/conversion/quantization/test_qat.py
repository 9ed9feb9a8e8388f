"""Quantization-aware training: its twin against the graph it stands for, runs that are killed, files that are all integer."""

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.tiny_training import make_photos
from typer.testing import CliRunner

from conversion.commands.main import app

ROOT = Path(__file__).resolve().parents[3]
QAT_ONLY = {"conversion/quantization/qat/train.py", "conversion/quantization/qat/tfmot_model.py"}
SMALL = ["--batch", "2", "--patch", "16", "--steps", "12", "--interval", "4", "--tile", "16x16"]


def program(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=1500, **options)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small network with random weights, as a .keras."""
    from support.networks import randomise

    from keras_models.lkdn import LKDN

    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=1), seed=3).save(path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos") / "photos", count=3, size=(80, 72))


@pytest.fixture(scope="module")
def finished(tiny, photos, tmp_path_factory):
    """A whole run of the command, fitted to fewer crops: its folder and what it said."""
    out = tmp_path_factory.mktemp("runs") / "run"
    arguments = [tiny, "--data", photos, "--val", photos, "-o", out / "tiny_int8.tflite", "--out", out, "--cache", out.parent / "cache"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("conversion.quantization.qat.run.CROPS", 8)
        done = CliRunner().invoke(app, ["qat", *map(str, arguments), *SMALL])
    return out, done


def test_only_the_training_process_knows_legacy_keras():
    """Statically over all files, and by importing every module but the two."""
    legacy = {"tensorflow_model_optimization", "tf_keras"}
    paths = [*ROOT.glob("keras_models/**/*.py"), *ROOT.glob("conversion/**/*.py")]
    assert {str(p.relative_to(ROOT)) for p in paths if legacy & imported(p)} == {"conversion/quantization/qat/tfmot_model.py"}
    code = f"""
import os, pathlib, sys, importlib
for path in [*pathlib.Path("keras_models").rglob("*.py"), *pathlib.Path("conversion").rglob("*.py")]:
    name = path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    if str(path) not in {QAT_ONLY!r}:
        importlib.import_module(name)
assert "TF_USE_LEGACY_KERAS" not in os.environ
assert not {{"tensorflow_model_optimization", "tf_keras"}} & set(sys.modules)
import conversion.quantization.qat.train
assert os.environ["TF_USE_LEGACY_KERAS"] == "1" and "tf_keras" in sys.modules
"""
    done = program("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def imported(path):
    """Top-level names of all modules that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.fixture(scope="module")
def measured(finished):
    out, _ = finished
    done = program(Path(__file__).parents[3] / "tests/support/qat_program.py", out / "start.npz")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_twins_compute_what_the_graph_does(measured):
    assert measured["float"] < 2e-6
    # A value on the edge between two steps may fall to either side: one step, 1/255 of the output, somewhere.
    assert measured["quantized"] < 3 / 255
    assert measured["quantization"] > 2 * measured["quantized"], "control: quantization itself shows"


def test_kernels_leave_on_their_grid(measured):
    assert measured["off_grid"] < 1e-3


def test_mean_colour_is_set_right(measured):
    before, after = measured["colour"]
    assert before > 0.01 and abs(after) < 0.3 * before


def test_ranges_get_the_gradient_of_their_steps(measured):
    for got, expected in (measured["to_x"], measured["to_range"]):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_few_steps_learn_and_leave_alone_what_is_fixed(measured):
    assert np.mean(measured["losses"][-5:]) < 0.8 * measured["losses"][0]
    assert measured["moved"][0] is False
    assert measured["moved"][1] > 0.9
    assert measured["frozen"] and all(measured["frozen"])


def test_the_command_ends_with_a_full_integer_file(finished, photos):
    from conversion.measuring.evaluate import evaluate_model
    from conversion.tflite.file import read_tflite

    out, done = finished
    assert done.exit_code == 0, done.output
    assert "12 steps" in done.stdout and "step 12" in done.stderr
    file = read_tflite(out / "tiny_int8.tflite")
    assert {t.dtype for t in file.tensors} <= {"int8", "int32"}
    assert [file.tensors[i].dtype for i in (*file.inputs, *file.outputs)] == ["int8", "int8"]
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "GELU", "MUL", "DEPTH_TO_SPACE"} <= {op.name for op in file.operations}
    assert not {"QUANTIZE", "DEQUANTIZE"} & {op.name for op in file.operations}
    assert file.card["recipe"] == "int8" and json.loads((out / "tiny_int8.json").read_text()) == file.card
    emulated = max(float(line.split(",")[-1]) for line in (out / "log.csv").read_text().splitlines()[1:])
    assert abs(evaluate_model(out / "tiny_int8.tflite", photos).mean.psnr_y - emulated) < 0.05


def test_photos_are_held_out_when_none_choose(photos, tmp_path):
    from conversion.quantization.qat.photo_sets import photo_sets
    from keras_models.system.errors import TrainingError

    trained, chosen = photo_sets(photos, None, 2, tmp_path)
    assert len(chosen.photos) == 1 and len(trained.photos) == 2
    assert not {p.name for p in trained.photos} & {p.name for p in chosen.photos}
    alone = make_photos(tmp_path / "alone", count=1, size=(80, 72))
    with pytest.raises(TrainingError, match="only one photo.*`val`"):
        photo_sets(alone, None, 2, tmp_path)


def test_uint8_files_compute_the_same(finished):
    from dataclasses import replace

    from conversion.engines.cpu import CpuEngine
    from conversion.model_card import Card
    from conversion.quantization.fake_quant import int8_tflite
    from conversion.quantization.qat.run import best_of
    from conversion.recipes import RECIPES
    from conversion.tflite.output import write_tflite

    out, _ = finished
    card = Card(**json.loads((out / "tiny_int8.json").read_text()))
    data = int8_tflite(*best_of(out), *card.tile, "uint8")
    write_tflite(data, out / "tiny_uint8.tflite", replace(card, tile=tuple(card.tile)), RECIPES["int8"].contract)
    image = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)
    signed, unsigned = (CpuEngine(out / f"tiny_{io}.tflite", 1) for io in ("int8", "uint8"))
    assert unsigned.input_dtype == np.uint8
    np.testing.assert_array_equal(signed.run(image), unsigned.run(image))


def test_a_killed_run_goes_on(finished, photos, tmp_path):
    """kill -9 after the first checkpoint; the same process again ends where the undisturbed one did."""
    from dataclasses import asdict

    from conversion.quantization.qat.settings import settings_for
    from keras_models.system.errors import TrainingError
    from keras_models.system.processes import Task, stream

    whole, _ = finished
    for name in ("start.npz", "float.npz", "run.json"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    settings = asdict(settings_for(batch=2, patch=16, steps=12, interval=4))
    arguments = [str(tmp_path), str(photos), str(photos), str(whole.parent / "cache"), settings]
    task = Task("conversion.quantization.qat.train:train", arguments, 600, TrainingError)
    with stream(task) as running:
        next(said for said in running if said.get("step") == 6)
        running.process.send_signal(signal.SIGKILL)
        with pytest.raises(TrainingError, match="killed .signal 9"):
            list(running)
    with stream(task) as again:
        said = list(again)
    assert said[0]["begin"] == 4 and said[-1].get("row", {}).get("step") == 12
    with np.load(tmp_path / "last.npz") as resumed, np.load(whole / "last.npz") as undisturbed:
        for key in "0123":
            np.testing.assert_allclose(resumed[key], undisturbed[key], rtol=1e-4, atol=1e-6)


def test_the_checkpoint_of_another_run_is_one_line(finished, photos, tmp_path):
    from dataclasses import asdict

    from conversion.quantization.qat.settings import settings_for
    from keras_models.system.errors import TrainingError
    from keras_models.system.processes import Task, stream
    from keras_models.training.run_folder import Checkpoint, RunFiles

    whole, _ = finished
    for name in ("start.npz", "float.npz", "run.json"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    RunFiles(tmp_path).write(Checkpoint(4, [np.zeros(3, np.float32)] * 4, {"seconds": 1.0, "best": None, "rows": []}))
    settings = asdict(settings_for(batch=2, patch=16, steps=12, interval=4))
    arguments = [str(tmp_path), str(photos), str(photos), str(whole.parent / "cache"), settings]
    task = Task("conversion.quantization.qat.train:train", arguments, 600, TrainingError)
    with stream(task) as running, pytest.raises(TrainingError, match="last.npz: holds arrays of other shapes"):
        list(running)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "converted.tflite"}, "tiny_int8.tflite"),
        ({"data": "empty"}, "empty: no photos in it"),
        ({"val": "nowhere"}, "nowhere: no such folder"),
        ({"more": ["--patch", "500"]}, "smaller than a patch"),
        ({"more": ["--io", "int4"]}, "`io` int4: give int8 or uint8"),
        ({"more": ["--hr-share", "1.5"]}, "1.5: give a share from 0 to 1"),
        ({"out": "other"}, "holds files that are not"),
        ({"out": "run", "more": ["--lr", "0.002"]}, "holds a run with another lr"),
    ],
)
def test_mistakes_are_one_line(change, words, finished, tiny, photos, tmp_path):
    from conversion.commands.qat import qat
    from keras_models.system.errors import MobileSRError

    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    model = finished[0] / "tiny_int8.tflite" if "model" in change else tiny
    data = tmp_path / change["data"] if "data" in change else photos
    val = tmp_path / change["val"] if "val" in change else photos
    out = {"other": tmp_path / "other", "run": finished[0]}.get(change.get("out"), tmp_path / "new")
    values = {"batch": 2, "patch": 16, "steps": 12, "interval": 4, "cache": finished[0].parent / "cache"}
    more = change.get("more", [])
    values |= {more[i].removeprefix("--").replace("-", "_"): number(more[i + 1]) for i in range(0, len(more), 2)}
    with pytest.raises(MobileSRError) as caught:
        qat(str(model), data, val=val, out=out, **values)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def number(text):
    return text if not text[0].isdigit() else float(text) if "." in text else int(text)

