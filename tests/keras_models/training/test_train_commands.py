"""The training commands: light to import, one line for every mistake, and the whole way from a folder to a .keras."""

import subprocess
import sys

import numpy as np
import pytest
import typer
from support.tiny_training import TINY, make_photos, register_tiny
from typer.testing import CliRunner

from conversion.commands.benchmark_training import benchmark_training
from conversion.commands.compare_optimizers import compare_optimizers
from conversion.commands.train import train
from keras_models.system.errors import TrainingError

COMMANDS = {"train": train, "compare-optimizers": compare_optimizers, "benchmark-training": benchmark_training}
SMALL = ["--batch", "2", "--patch", "8"]


def run(name, *arguments):
    register_tiny()
    app = typer.Typer()
    for command, function in COMMANDS.items():
        app.command(command)(function)
    result = CliRunner().invoke(app, [name, *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def test_importing_the_commands_is_cheap():
    heavy = "{'keras', 'numpy', 'PIL', 'tensorflow', 'scipy', 'matplotlib'}"
    modules = ", ".join(f"conversion.commands.{name.replace('-', '_')}" for name in COMMANDS)
    program = "\n".join(
        [
            "import importlib.util, sys",
            f"for name in {modules!r}.split(', '):",
            "    path = importlib.util.find_spec('conversion').submodule_search_locations[0] + '/commands/' + name.split('.')[-1] + '.py'",
            "    spec = importlib.util.spec_from_file_location(name.split('.')[-1], path)",
            "    spec.loader.exec_module(importlib.util.module_from_spec(spec))",
            f"assert not {heavy} & set(sys.modules)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("eagerly")
def test_from_a_folder_to_a_model(photos, tmp_path):
    out, cache = tmp_path / "run", tmp_path / "cache"
    (photos / "broken.jpg").write_text("x")
    arguments = [TINY, "--data", photos, "--val", photos, "--out", out, "--cache", cache, "--interval", 3, "--warmup", 1, *SMALL]
    result = run("train", *arguments, "--steps", 6)
    assert "6 steps" in result.stdout and "validation PSNR-Y" in result.stdout
    assert "left out: broken.jpg: not an image that can be read" in result.stderr
    assert (out / "last.keras").is_file() and (out / "best.keras").is_file()


@pytest.mark.usefixtures("eagerly")
def test_a_run_is_made_again_from_its_file_of_options(photos, tmp_path):
    arguments = [TINY, "--data", photos, "--cache", tmp_path / "cache", *SMALL, "--schedule", "wsd", "--decay", 1, "--warmup", 0]
    run("train", *arguments, "--optimizer", "adan", "--lr", 1e-5, "--steps", 2, "--out", tmp_path / "first")
    again = ["--config", tmp_path / "first/train.toml", "--cache", tmp_path / "cache"]
    run("train", *again, "--out", tmp_path / "second")
    run("train", *again, "--seed", 5, "--out", tmp_path / "other")
    first, second, other = (np.load(tmp_path / name / "last.npz") for name in ("first", "second", "other"))
    names = [name for name in first.files if name != "facts"]
    assert all(np.array_equal(first[name], second[name]) for name in names)
    assert not all(np.array_equal(first[name], other[name]) for name in names), "what is given beside the file comes first"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("speed = 3", "'speed' is no option here: give some of all_devices, batch, "),
        ("config = 'a.toml'", "'config' is no option here"),
        ("steps = ", "not a TOML file: Invalid value"),
        ("steps = " + "[" * 2000, "not a TOML file"),
        ("steps = 2026-01-01", "steps is neither a text nor a number"),
        ("[train]\nsteps = 3", "'train' is no option here"),
        (b"\xff", "not a TOML file"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_file_of_options_is_one_line(photos, tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TrainingError) as caught:
        run("train", TINY, "--data", photos, "--out", tmp_path / "run", "--config", tmp_path / "a.toml")
    assert str(caught.value).startswith(f"{tmp_path / 'a.toml'}: ") and words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_value_of_a_wrong_kind_is_said(photos, tmp_path):
    (tmp_path / "a.toml").write_text(f"steps = 'many'\nout = '{tmp_path / 'run'}'\ndata = '{photos}'")
    result = run("train", TINY, "--config", tmp_path / "a.toml")
    assert result.exit_code == 2 and "Invalid value for '--steps'" in result.stderr


def test_the_benchmark_prints_both_speeds(photos, tmp_path):
    result = run("benchmark-training", TINY, "--data", photos, "--cache", tmp_path / "cache", *SMALL)
    assert "patches/s" in result.stdout and "times faster" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "fast"], "recipe 'fast': give one of"),
        (["--loss", "l3"], "loss 'l3': give one of"),
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--patch", "500"], "smaller than a patch of 1000 pixels"),
        (["--all-devices"], "set KERAS_BACKEND=jax"),
        (["--teacher", "nobody", *SMALL], "nobody: no such preset or file"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, arguments, words):
    from keras_models.system.errors import MobileSRError

    with pytest.raises(MobileSRError, match=f"^[^\n]*{words}[^\n]*$"):
        run("train", TINY, "--data", photos, "--out", tmp_path / "run", "--cache", tmp_path / "cache", *arguments)


def test_an_unwritable_place_is_one_line(photos, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TrainingError, match="cannot be used as a folder[^\n]*another `out`"):
        run("train", TINY, "--data", photos, "--out", tmp_path / "file" / "run", "--cache", tmp_path / "cache")
