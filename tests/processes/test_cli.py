"""The command line as users meet it: real processes, one clear line for what they can mend, nothing half-written."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import one_line_error, run, run_here
from support.photos import noise_photo as photo

from keras_models.catalogue import CATALOGUE


def test_help_imports_nothing_heavy():
    code = "import sys; from conversion.commands.main import app; import typer; typer.main.get_command(app); print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert loaded.isdisjoint({"keras", "tensorflow", "numpy", "pyvips", "PIL", "ai_edge_litert", "scipy", "onnx", "matplotlib"})


def test_help_lists_every_command():
    process = run("--help")
    assert process.returncode == 0
    names = ("upscale", "import", "fold", "convert", "evaluate", "verify", "inspect", "models", "fetch", "blend", "compare")
    assert all(f"  {name} " in process.stdout for name in names)


def test_version_is_said_at_once():
    """And without what takes seconds to import."""
    code = "import sys; from conversion.commands.main import main\nsys.argv[1:] = ['--version']\ntry: main()\nfinally: print(*sys.modules)"
    said, loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said.startswith(f"mobile-sr {version('mobile-sr')} (keras {version('keras')}, ") and "Python 3." in said
    assert {"keras", "tensorflow", "numpy"}.isdisjoint(loaded.split())


def test_import_does_not_switch_keras():
    code = "import os, keras_models, conversion; print(os.environ.get('TF_USE_LEGACY_KERAS'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "None"


def test_models_lists_presets_as_json():
    listed = json.loads(run("models", "--json", "-").stdout)
    assert {m["name"] for m in listed["models"]} >= {"lkdn-x2", "lkdn-x3", "lkdn-x4", "lkdn-s-x4"}
    assert {m["name"] for m in listed["published"]} == set(CATALOGUE)
    assert all(m["use"] for m in (*listed["published"], *(m for m in listed["models"] if m["shipped"])))


def text_named_png(folder):
    path = folder / "text.png"
    path.write_text("not a picture\n" * 30)
    return path


def truncated_png(folder):
    path = photo(folder, "cut.png")
    path.write_bytes(path.read_bytes()[:700])
    return path


def half_tflite(folder, tiny_model):
    path = folder / "half.tflite"
    data = tiny_model("random").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


BAD_ARGUMENTS = {
    "missing file": lambda folder, model: ("upscale", folder / "nothing.png", "--model", model),
    "text named .png": lambda folder, model: ("upscale", text_named_png(folder), "--model", model),
    "truncated PNG": lambda folder, model: ("upscale", truncated_png(folder), "--model", model),
    "empty folder": lambda folder, model: ("upscale", folder, "--model", model),
    "output under a file": lambda folder, model: ("upscale", photo(folder), photo(folder, "b.png") / "out.png", "--model", model),
    "unknown model": lambda folder, model: ("upscale", photo(folder), "--model", "edsr-x9"),
    "missing model file": lambda folder, model: ("upscale", photo(folder), "--model", "nowhere.tflite"),
    "image as model": lambda folder, model: ("upscale", photo(folder), "--model", photo(folder, "b.png").rename(folder / "b.tflite")),
    "unknown format": lambda folder, model: ("upscale", photo(folder), "--format", "gif", "--model", model),
    "factor too large": lambda folder, model: ("upscale", photo(folder), "--factor", "9", "--model", model),
    "unknown option": lambda folder, model: ("upscale", photo(folder), "--sharpen", "yes"),
    "threads of a GPU": lambda folder, model: ("upscale", photo(folder), "--gpu", "--threads", "2", "--model", model),
    "inspect a picture": lambda folder, model: ("inspect", photo(folder)),
    "evaluate a missing folder": lambda folder, model: ("evaluate", model, "--data", folder / "none"),
    "evaluate an empty folder": lambda folder, model: ("evaluate", model, "--data", folder),
    "tiles are no sizes": lambda folder, model: ("benchmark", model, "--tiles", "0x64"),
    "recipes into a file": lambda folder, model: ("recipes", "lkdn-s", "--data", folder, "--calibration", folder, "-o", photo(folder)),
    "a variant of a preset": lambda folder, model: ("import", "lkdn-s", "-o", folder / "x.keras", "--variant", "BSConvU_idt"),
    "an .onnx in half precision": lambda folder, model: ("convert", "lkdn-s", "-o", folder / "x.onnx", "--recipe", "float16"),
    "a whole-image file for the app": lambda folder, model: (
        *("convert", "lkdn-s", "-o", folder / "x.tflite", "--whole-image", "--android", folder / "app"),
    ),
    "tile is no size": lambda folder, model: ("convert", "lkdn-x4", "-o", folder / "x.tflite", "--tile", "big"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_input_is_one_line(case, tmp_path, tiny_model):
    arguments = BAD_ARGUMENTS[case](tmp_path, tiny_model("random"))
    before = {p.name for p in tmp_path.iterdir()}
    one_line_error(run(*arguments))
    assert {p.name for p in tmp_path.iterdir()} == before


def test_what_is_wrong_by_name_is_refused_without_keras(tmp_path):
    """Importing Keras takes the user 5 s; for a missing file, another ending, a preset without weights, it is not."""
    (tmp_path / "cut.pth").write_bytes(b"PK")
    cases = [
        *([command, f"nowhere{suffix}"] for command in ("import", "fold") for suffix in (".pth", ".keras", ".tex", "")),
        *(["import", name] for name in ("lkdn-x4", tmp_path / "cut.pth")),
        ["recipes", "lkdn-s", "--data", tmp_path / "no", "--calibration", tmp_path],
    ]
    program = f"""
import sys
from conversion.commands.main import main
for words in {[[*map(str, case), "-o", str(tmp_path / "x.keras")] for case in cases]!r}:
    sys.argv = ["mobile-sr", *words]
    try:
        main()
    except SystemExit as end:
        assert end.code == 2, words
assert not {{"keras", "tensorflow"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.strip().splitlines()) == len(cases)
    assert [path.name for path in tmp_path.iterdir()] == ["cut.pth"]


def test_half_a_tflite_is_one_line(tmp_path, tiny_model):
    broken = half_tflite(tmp_path, tiny_model)
    for arguments in (("upscale", photo(tmp_path), "--model", broken), ("inspect", broken), ("verify", broken)):
        one_line_error(run(*arguments))
    assert not list(tmp_path.glob("*_x*"))


def test_checkpoint_with_foreign_global_is_one_line(tmp_path):
    import pickle
    import zipfile

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": Evil()}))
    line = one_line_error(run("import", tmp_path / "evil.pth", "-o", tmp_path / "evil.keras"))
    assert "refused" in line
    assert [p.name for p in tmp_path.iterdir()] == ["evil.pth"]


def test_checkpoint_of_another_network_is_one_line(tmp_path):
    np.savez(tmp_path / "other.npz", **{"conv_first.weight": np.zeros((8, 3, 3, 3), np.float32)})
    assert "no network known here" in one_line_error(run("import", tmp_path / "other.npz", "-o", tmp_path / "x.keras"))
    assert not (tmp_path / "x.keras").exists()


def test_import_fold_convert_inspect_verify_upscale(tmp_path, shared, capfd, monkeypatch):
    """The researcher's way, end to end, with a released checkpoint; two of the commands as processes."""

    def here(*arguments):
        return run_here(capfd, monkeypatch, *arguments)

    checkpoint = shared / "reference/LKDN-S_x4.pth"
    assert here("import", checkpoint, "-o", tmp_path / "s.keras").returncode == 0
    assert here("import", tmp_path / "s.keras", "-o", tmp_path / "s.safetensors").returncode == 0
    folded = here("fold", tmp_path / "s.safetensors", "-o", tmp_path / "d.keras")
    assert "172,449 -> 129,177 parameters" in folded.stdout, folded.stderr
    converted = run("convert", tmp_path / "d.keras", "-o", tmp_path / "d.tflite", "--tile", "64x48")
    assert converted.returncode == 0, converted.stderr
    assert converted.stderr == ""
    seen = json.loads(here("inspect", tmp_path / "d.tflite", "--json", "-").stdout)
    assert seen["inputs"][0]["shape"] == [1, 64, 48, 3] and seen["card"]["tile"] == [64, 48]
    verified = here("verify", tmp_path / "d.tflite", "--against", checkpoint)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    upscaled = run("upscale", photo(tmp_path), "--model", tmp_path / "d.tflite")
    assert upscaled.returncode == 0, upscaled.stderr
    with Image.open(tmp_path / "photo_x4.png") as image:
        assert image.size == (96, 80)


def test_reference_is_outside_of_the_repository(shared):
    """Released weights and benchmark pictures are test material; nothing of them may be committed."""
    import hashlib

    root = Path(__file__).parents[2]
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    ours = {hashlib.sha256((root / name).read_bytes()).hexdigest(): name for name in tracked if name and (root / name).is_file()}
    material = [p for folder in ("reference", "data/Set5", "data/Set14") for p in (shared / folder).rglob("*") if p.is_file()]
    theirs = {hashlib.sha256(path.read_bytes()).hexdigest() for path in material}
    assert not [name for digest, name in ours.items() if digest in theirs]
