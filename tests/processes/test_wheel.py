"""The package away from its checkout: what a wheel and a source distribution hold, and a wheel at work in a bare environment."""

import email
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"([\w.-]+)==(\S+)")


def command(*words, **options):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=1500, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def files_of_git():
    """What a clone would have, with new files that are not yet committed."""
    listed = command("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    return {name for name in listed if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist), made in a copy of the clone by the pinned build tool, as pip does it."""
    folder = tmp_path_factory.mktemp("package")
    for name in files_of_git():
        if not name.startswith("android_demo/"):
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "copy" / name)
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    command(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "tool", *tool)
    program = "from setuptools import build_meta as b; b.build_sdist('../made'); b.build_wheel('../made')"
    command(sys.executable, "-c", program, cwd=folder / "copy", env={**os.environ, "PYTHONPATH": str(folder / "tool")})
    (wheel,), (sdist,) = (folder / "made").glob("*.whl"), (folder / "made").glob("*.tar.gz")
    return wheel, sdist


def packaged():
    return {name for name in files_of_git() if name.startswith(("keras_models/", "conversion/"))}


def test_the_wheel_holds_the_two_packages_whole_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
        metadata = email.message_from_bytes(wheel.read(next(name for name in names if name.endswith(".dist-info/METADATA"))))
        entry_points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {name for name in names if ".dist-info/" not in name} == packaged()
    assert "keras_models/weights/lkdn-s-x4.tflite" in names and "conversion/gpu/ops.json" in names
    assert "mobile-sr = conversion.commands.main:main" in entry_points
    assert metadata["Requires-Python"] == "<3.14,>=3.11" and metadata["License-Expression"] == "MIT"
    wanted = metadata.get_all("Requires-Dist")
    assert all("==" in line for line in wanted) and any(line.startswith("tensorflow==") for line in wanted)
    assert [line for line in wanted if "dask" in line][0].endswith('extra == "cluster"')
    assert [line for line in wanted if "qnn" in line][0].endswith('extra == "npu"')


def test_the_source_distribution_has_what_a_build_reads(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    lists = {"requirements.txt", "requirements-cluster.txt", "requirements-npu.txt"}
    assert packaged() | lists | {"pyproject.toml", "README.md", "LICENSE"} <= names


def pins(name):
    found = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := PINNED.match(line):
            found[canonical(match[1])] = match[2]
    return found


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_is_pinned_once():
    """constraints.txt says the same as the lists it is made of, and has all that these packages ask for."""
    direct = pins("requirements.txt") | pins("requirements-cluster.txt") | pins("requirements-dev.txt")
    locked = pins("constraints.txt")
    assert direct.items() <= locked.items(), "make constraints.txt again by the command in its first lines"
    assert "http" not in "".join((ROOT / name).read_text() for name in ("constraints.txt", "requirements.txt", "requirements-dev.txt"))
    from packaging.requirements import Requirement

    missing = set()
    for name in locked:
        try:
            asked = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another Python or system
        wanted = [r for r in map(Requirement, asked) if r.marker is None or r.marker.evaluate({"extra": ""})]
        missing |= {f"{name} needs {r.name}" for r in wanted if canonical(r.name) not in locked}
    assert not missing


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_package_has_its_hashes(name):
    """What scripts/setup.sh installs with --require-hashes: the versions of constraints.txt, and all that the list asks for."""
    text = (ROOT / f"{name}.lock").read_text()
    locked, entries = pins(f"{name}.lock"), re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2], flags=re.I)
    assert pins(f"{name}.txt").items() <= locked.items() <= pins("constraints.txt").items(), "make it again by its first lines"
    assert len(entries) == len(locked) and all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert "http" not in text
    assert "--require-hashes" in (ROOT / "scripts/setup.sh").read_text()


@pytest.mark.slow
def test_the_wheel_in_a_bare_environment(built, tmp_path):
    """`pip install WHEEL`, then the README's first command in an empty folder; five minutes and 2.8 GB, which are removed again."""
    place, empty = tmp_path / "bare", tmp_path / "empty"
    empty.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(empty / "photo.jpg")
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    try:
        command(sys.executable, "-m", "venv", place)
        command(place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt", built[0])
        assert "No broken requirements" in command(place / "bin/pip", "check")
        mobile_sr = place / "bin/mobile-sr"
        command(mobile_sr, "upscale", "photo.jpg", "out.png", cwd=empty, env=home)
        assert "lkdn-s-x4" in command(mobile_sr, "models", cwd=empty, env=home)
        # Weights that are not converted yet: once, into the user's cache.
        weights = next(place.glob("lib/python*/site-packages/keras_models/weights/lkdn-s-x4.safetensors"))
        command(mobile_sr, "upscale", "photo.jpg", "again.png", "--model", weights, cwd=empty, env=home)
        with Image.open(empty / "out.png") as out, Image.open(empty / "again.png") as again:
            assert out.size == (160, 120)
            difference = np.abs(np.asarray(out, int) - np.asarray(again, int))
        assert difference.max() <= 1
        assert len(list((tmp_path / "home/.cache/mobile-sr").glob("*.tflite"))) == 1
        assert {path.name for path in empty.iterdir()} == {"photo.jpg", "out.png", "again.png"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
