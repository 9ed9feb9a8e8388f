"""A run is the same to the last bit however often it is killed, and every mistake is one line that loses nothing."""

import csv
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from support.tiny_training import make_photos, tiny_settings

from keras_models.data.photo_set import load_photos
from keras_models.folding import fold, fold_error
from keras_models.system.errors import OutputError, TrainingError
from keras_models.training.compare_optimizers import compare_optimizers
from keras_models.training.online_fold import OnlineFold, cheapest_form
from keras_models.training.run import build_student, train
from keras_models.training.run_folder import Checkpoint, RunFiles
from keras_models.training.schedules import WarmUpDecay
from keras_models.training.settings import RECIPES, settings_for
from keras_models.training.student import spectral_distance

PROGRAM = Path(__file__).parents[3] / "tests/support/tiny_training.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def photos(folder):
    return load_photos(folder, 2, folder.parent / "cache")


@pytest.fixture(scope="module")
def uninterrupted(folder, photos):
    result = train(tiny_settings(), photos, folder.parent / "whole", photos)
    return result.folder


def arrays(folder):
    with np.load(folder / "last.npz") as stored:
        return {name: stored[name] for name in stored.files if name != "facts"}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def start(folder, out, *flags, **environment):
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, str(PROGRAM), str(folder), str(out), *flags]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_at_random(folder, out, dice):
    """Starts a run and kills it hard at one of its next lines, where it stands then; False if it was too late."""
    process = start(folder, out)
    for _ in range(dice.randint(1, 3)):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_a_killed_run_ends_bit_identical(folder, photos, uninterrupted, tmp_path):
    out = tmp_path / "run"
    killed = kill_at_random(folder, out, random.Random(0))
    before = RunFiles(out).read()
    assert killed, "the run had ended before it was killed"
    result = train(tiny_settings(), photos, out)
    assert same(arrays(out), arrays(uninterrupted)), f"resumed from step {before and before.step}"
    assert result.steps == 40
    assert not list(out.glob(".mobile-sr-*"))


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_bit_identical(folder, photos, uninterrupted, tmp_path):
    out = tmp_path / "run"
    dice = random.Random(0)
    kills = sum(kill_at_random(folder, out, dice) for _ in range(6))
    assert kills >= 2
    train(tiny_settings(), photos, out)
    assert same(arrays(out), arrays(uninterrupted))


def test_checkpoints_do_not_disturb_the_training(photos, uninterrupted, tmp_path):
    """Keras overwrites the weights by their average at the end of every `fit`: a run of one interval shows if that leaks."""
    train(tiny_settings(interval=40), photos, tmp_path / "run")
    assert same(arrays(tmp_path / "run"), arrays(uninterrupted))


@pytest.mark.usefixtures("eagerly")
def test_control_another_seed_ends_elsewhere(photos, tmp_path):
    for name, seed in (("one", 0), ("again", 0), ("another", 1)):
        train(tiny_settings(seed=seed, steps=2, form="deploy"), photos, tmp_path / name)
    one, again, another = (arrays(tmp_path / name) for name in ("one", "again", "another"))
    assert same(one, again) and not same(one, another)


def test_what_a_run_leaves(uninterrupted, photos):
    names = {path.name for path in uninterrupted.iterdir()}
    assert {"last.npz", "last.keras", "best.keras", "log.csv", "run.json", "curves.png"} <= names
    with (uninterrupted / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 6, 12, 18, 24, 30, 36, 40]
    facts = json.loads((uninterrupted / "run.json").read_text())
    assert facts["settings"]["preset"] == "tiny-x2" and facts["photos"] == 3 and facts["data"] == photos.fingerprint
    model = keras.saving.load_model(uninterrupted / "last.keras")
    assert fold_error(model, fold(model)) < 1e-5
    stored = arrays(uninterrupted)
    raw = [stored[str(i)] for i in range(len(model.variables))]
    assert not all(np.array_equal(a, b) for a, b in zip(raw, model.get_weights())), "the model must hold the average, not the raw weights"


def test_a_finished_run_is_only_reported(photos, uninterrupted):
    before = arrays(uninterrupted)
    assert train(tiny_settings(), photos, uninterrupted, photos).steps == 40
    assert same(before, arrays(uninterrupted))


def test_training_lowers_the_loss(uninterrupted):
    losses = [row["loss"] for row in RunFiles(uninterrupted).log_rows() if "loss" in row]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.usefixtures("eagerly")
def test_a_run_can_be_prolonged(photos, tmp_path):
    """Moving the end within the stable part of the schedule changes nothing before it."""
    longer = {"steps": 6, "interval": 2, "warmup": 1, "decay": 2, "form": "deploy"}
    train(tiny_settings(**longer), photos, tmp_path / "at once")
    train(tiny_settings(**longer | {"steps": 3, "decay": 0}), photos, tmp_path / "run")
    train(tiny_settings(**longer), photos, tmp_path / "run")
    assert same(arrays(tmp_path / "run"), arrays(tmp_path / "at once"))
    train(tiny_settings(**longer | {"decay": 4}), photos, tmp_path / "control")
    assert not same(arrays(tmp_path / "control"), arrays(tmp_path / "at once"))


@pytest.mark.parametrize("change", [{"lr": 5e-3}, {"seed": 3}, {"batch": 1}, {"preset": "lkdn-s-x2"}, {"loss": "mse"}])
def test_other_settings_are_refused(photos, uninterrupted, change):
    with pytest.raises(TrainingError, match=f"holds a run with {next(iter(change))} [^\n]*: give the same settings"):
        train(replace(tiny_settings(), **change), photos, uninterrupted, photos)


def test_other_photos_are_refused(uninterrupted, photos, tmp_path):
    other = load_photos(make_photos(tmp_path / "other", count=2), 2, tmp_path / "cache")
    with pytest.raises(TrainingError, match="other photos to train on: give the same folder"):
        train(tiny_settings(), other, uninterrupted, photos)
    with pytest.raises(TrainingError, match="other validation photos"):
        train(tiny_settings(), photos, uninterrupted, other)


def test_a_folder_of_something_else_is_refused(photos, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(TrainingError, match="not a training run's: give a new folder"):
        train(tiny_settings(), photos, tmp_path)


def test_a_run_of_qat_is_refused(photos, tmp_path):
    RunFiles(tmp_path / "run").write(Checkpoint(3, [np.zeros(2)], {"seconds": 1.0, "best": None, "rows": []}))
    with pytest.raises(TrainingError, match="a run of another kind"):
        train(tiny_settings(), photos, tmp_path / "run")


def test_a_damaged_checkpoint_is_one_line(photos, tmp_path):
    (tmp_path / "last.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(TrainingError, match="damaged checkpoint"):
        train(tiny_settings(), photos, tmp_path)


def test_too_few_threads_are_one_line(photos, tmp_path, monkeypatch):
    """TensorFlow aborts the process where a thread cannot be started, which is found out before."""
    monkeypatch.setattr("keras_models.training.run.SPARE_THREADS", 10**9)
    real, left = threading.Thread.start, list(range(20))

    def start(thread):
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(TrainingError, match="step 0: the system lets this process start no more threads[^\n]*same command"):
        train(tiny_settings(), photos, tmp_path / "run")


def test_two_processes_cannot_share_a_run(photos, tmp_path):
    files = RunFiles(tmp_path / "run")
    with files.locked(), pytest.raises(TrainingError, match="another process"):
        train(tiny_settings(), photos, tmp_path / "run")


@pytest.mark.usefixtures("eagerly")
def test_a_full_disk_keeps_the_old_checkpoint(photos, uninterrupted, tmp_path):
    """The kernel refuses to let any file grow past a limit, half-way through the write, as a full disk does."""
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    longer = replace(tiny_settings(), steps=46)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((out / "last.npz").stat().st_size // 2, hard))
    try:
        with pytest.raises(OutputError, match="^[^\n]*cannot be written[^\n]*what was there is kept[^\n]*$"):
            train(longer, photos, out, photos)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(arrays(out), arrays(uninterrupted)) and not list(out.glob(".mobile-sr-*"))


@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_is_not_a_number_stops_the_run(photos, tmp_path):
    settings = tiny_settings(lr=9.9, optimizer="adam", betas=(0.9, 0.99), steps=12, interval=12, schedule="constant", form="deploy")
    with pytest.raises(TrainingError, match="the loss became nan[^\n]*lower `lr`"):
        train(settings, photos, tmp_path / "run")


@pytest.mark.usefixtures("eagerly")
def test_a_teacher_is_a_second_target(uninterrupted):
    teacher = str(uninterrupted / "last.keras")
    student, _ = build_student(tiny_settings(teacher=teacher, start=teacher, teacher_share=1.0))
    low = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    assert float(student.test_on_batch(low, np.zeros((2, 16, 16, 3), np.float32))) == pytest.approx(0, abs=1e-5)
    with pytest.raises(TrainingError, match="enlarges by 2, not 4: give one of that scale"):
        build_student(tiny_settings(preset="lkdn-s-x4", teacher=teacher))


def test_spectra_are_those_of_numpy(rng):
    a, b = rng.random((2, 6, 5, 3), np.float32), rng.random((2, 6, 5, 3), np.float32)
    wanted = np.fft.fft2(a - b, axes=(1, 2))
    assert float(spectral_distance(a, b)) == pytest.approx((np.abs(wanted.real).mean() + np.abs(wanted.imag).mean()) / 2, rel=1e-5)
    student, _ = build_student(tiny_settings(fourier=0.05))
    low, high = rng.random((1, 8, 8, 3), np.float32), rng.random((1, 16, 16, 3), np.float32)
    made = student(low)
    assert float(student.compute_loss(low, high, made)) == pytest.approx(
        float(np.abs(np.asarray(made) - high).mean() + 0.05 * spectral_distance(made, high)), rel=1e-5
    )


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("precision", [pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"])
def test_mixed_precision_resumes_and_saves_float32(photos, tmp_path, precision):
    """float16 needs loss scaling, whose state is part of the checkpoint."""
    train(tiny_settings(steps=4, interval=2, precision=precision), photos, tmp_path / "run")
    train(tiny_settings(steps=6, interval=2, precision=precision), photos, tmp_path / "run")
    model = keras.saving.load_model(tmp_path / "run" / "last.keras")
    assert {v.dtype for v in model.variables} == {"float32"} and model.compute_dtype == "float32"
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_folding_inside_the_step_changes_neither_output_nor_gradients():
    import tensorflow as tf

    student, _ = build_student(tiny_settings())
    network, online = student.network, cheapest_form(student.network)
    assert isinstance(online, OnlineFold) and cheapest_form(online.deploy) is online.deploy
    for variable in network.variables:
        variable.assign(np.random.default_rng(variable.shape[-1]).normal(0, 0.2, variable.shape))
    image = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    found = []
    for call in (network, online):
        with tf.GradientTape() as tape:
            output = call(image)
            loss = tf.reduce_mean(output**2)
        found.append((output, tape.gradient(loss, [v.value for v in network.trainable_variables])))
    (direct, direct_gradients), (folded, folded_gradients) = found
    np.testing.assert_allclose(direct, folded, rtol=1e-4, atol=1e-4)
    for variable, a, b in zip(network.trainable_variables, direct_gradients, folded_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(np.abs(a).max()), err_msg=variable.path)


@pytest.mark.slow
def test_two_devices_without_tensorflow(folder, tmp_path):
    """The batch is split over two (virtual) devices under JAX, and TensorFlow cannot be imported at all."""
    devices = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    both = [start(folder, tmp_path / "two" / "run", "--no-tensorflow", "--all-devices", **devices)]
    both += [start(folder, tmp_path / "one" / "run", "--no-tensorflow", KERAS_BACKEND="jax")]
    for process in both:
        _, errors = process.communicate(timeout=1500)
        assert process.returncode == 0, errors[-2000:]
    one, two = arrays(tmp_path / "one" / "run"), arrays(tmp_path / "two" / "run")
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, two[name], atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_two_hosts_without_tensorflow(folder, tmp_path):
    """Two processes as on two hosts, joined by Keras: each feeds half of every batch, both end with the weights of one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    hosts = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    runs = [start(folder, tmp_path / "one/run", "--no-tensorflow", KERAS_BACKEND="jax")]
    for i in "01":
        environment = {**hosts, "KERAS_DISTRIBUTION_PROCESS_ID": i, "KERAS_BACKEND": "jax"}
        runs.append(start(folder, tmp_path / i / "run", "--no-tensorflow", "--all-devices", **environment))
    for process in runs:
        _, errors = process.communicate(timeout=1500)
        assert process.returncode == 0, errors[-2000:]
    one, first, second = (arrays(tmp_path / name / "run") for name in ("one", "0", "1"))
    assert same(first, second) and one.keys() == first.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, first[name], atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_the_contest_of_optimizers_draws_both_curves(photos, tmp_path):
    settings = tiny_settings(steps=6, interval=3, head_start=False, form="deploy")
    contest = compare_optimizers(settings, {"adam": 1e-3, "adan": 5e-3}, photos, photos, tmp_path / "contest")
    assert (tmp_path / "contest" / contest.picture).read_bytes().startswith(b"\x89PNG")
    stored = json.loads((tmp_path / "contest" / "adan-vs-adam.json").read_text())
    assert stored["curves"].keys() == {"adam", "adan"} and [step for step, _ in stored["curves"]["adan"]] == [0, 3, 6]
    assert stored["curves"]["adam"][0] == stored["curves"]["adan"][0], "both start from the same weights"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_complete(name):
    settings = settings_for("lkdn-s-x4", name)
    assert settings.ema == 0.999 and settings.steps >= 10_000
    assert len(settings.betas) == (3 if settings.optimizer == "adan" else 2)


def test_a_changed_optimizer_brings_its_betas():
    assert settings_for("lkdn-s-x4", optimizer="adan").betas == (0.98, 0.92, 0.99)
    assert settings_for("lkdn-x4", "lkdn", optimizer="adam").betas == (0.9, 0.99)


@pytest.mark.parametrize(
    "change",
    [{"loss": "l3"}, {"batch": 0}, {"lr": 0.0}, {"ema": 1.0}, {"optimizer": "sgd"}, {"decay": 10**6}, {"recipe": "fast"}]
    + [{"schedule": "wsd"}, {"decay": 100}, {"teacher_share": 0.3}, {"early": 10}, {"early": -1, "teacher": "lkdn-x4@authors"}],
)
def test_settings_out_of_range_are_one_line(change):
    with pytest.raises(TrainingError, match="^[^\n]+: [^\n]+$"):
        settings_for("lkdn-s-x4", **change)


def test_a_short_name_is_the_same_run():
    assert settings_for("lkdn-s") == settings_for("lkdn-s-x4")


def rates(**arguments):
    schedule = WarmUpDecay(1.0, 100, **arguments)
    return [float(schedule(step)) for step in range(100)]


def test_schedules():
    assert rates(shape="constant") == [1.0] * 100
    cosine = rates(shape="cosine", warmup=10)
    assert cosine[0] == pytest.approx(0.1) and cosine[9] == pytest.approx(1) and cosine[-1] < 0.01 and np.diff(cosine[10:]).max() < 0
    stable = rates(shape="wsd", warmup=10, decay=30)
    assert stable[10:70] == [1.0] * 60 and np.diff(stable[71:]).max() < 0 and stable[-1] < 0.01
    config = WarmUpDecay(1.0, 5, "wsd", 1, 2).get_config()
    assert WarmUpDecay.from_config(config).get_config() == config
