"""Packs a training run for a machine with JAX and no network: code, photos, the wheels that it lacks, and the run so far.

    python scripts/pack_run.py FOLDER --preset lkdn-s-x4 --data PHOTOS --val PHOTOS [--start MODEL] [--run RUN] [--python 3.12]
    python3 FOLDER/go.py 500 OUT            # there, see scripts/packed_go.py; bring OUT back, and pack it with --run to go on

Photos to train on are coded anew as WebP, of the best quality that keeps them within --megabytes; those to validate on stay as they
are. A run goes on only with the same photos and settings: with --run they are those of the folder that it came from, which is packed again.
"""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from script import run

from keras_models.checkpoints.loading import load_model
from keras_models.data.photo_files import list_photos
from keras_models.data.read_rgb import read_rgb
from keras_models.registry import preset_named
from keras_models.system.errors import OutputError, TrainingError
from keras_models.training.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ("keras", "namex", "optree", "platformdirs")
"""What keras_models imports and a machine with JAX, NumPy, SciPy, Pillow, h5py and Matplotlib does not have."""
QUALITIES = (95, 92, 90, 87, 84, 80, 75, 70)
_SAMPLE = 60

Batch = Annotated[int, typer.Option(help="Patches a step.")]


def main(
    folder: Path,
    data: Annotated[Path, typer.Option(help="Photos to train on.")],
    val: Annotated[Path, typer.Option(help="Photos to validate on.")],
    preset: str = "lkdn-s-x4",
    start: Annotated[str, typer.Option(help="Model to take the first weights from.")] = "",
    so_far: Annotated[Path | None, typer.Option("--run", help="What OUT was, to go on.")] = None,
    batch: Batch = 64,
    patch: int = 48,
    lr: float = 7e-4,
    seed: int = 0,
    megabytes: float = 45,
    python: Annotated[str, typer.Option(help="Python's version there.")] = "3.12",
) -> None:
    """Writes the folder and says how large it is."""
    scale = preset_named(preset).scale
    if so_far is not None:
        if not (folder / "packed.json").is_file() or not (so_far / "last.npz").is_file():
            raise TrainingError(f"{folder}, {so_far}: give the packed folder that the run came from, and the run with its last.npz")
        shutil.copytree(so_far, folder / "run", dirs_exist_ok=True)
        _say(folder)
        return
    if folder.exists():
        raise OutputError(f"{folder}: is there already: give a new folder, or `run` to go on with one")
    code = folder / "code"
    ignored = shutil.ignore_patterns("__pycache__", "*.tflite", "*.png")
    shutil.copytree(ROOT / "keras_models", code / "keras_models", ignore=ignored)
    shutil.copy(ROOT / "scripts" / "packed_go.py", folder / "go.py")
    if start:
        load_model(start).save(folder / "start.keras")
    first = {"head_start": not start, "start": "start.keras" if start else ""}
    settings = Settings(preset, batch=batch, patch=patch, lr=lr, warmup=200, seed=seed, form="deploy", **first)  # type: ignore[arg-type]
    (folder / "packed.json").write_text(json.dumps({"settings": asdict(settings), "scale": scale}, indent=1) + "\n")
    _pack_photos(data, folder / "photos" / "train", megabytes * 1e6)
    _copy_photos(val, folder / "photos" / "val")
    _fetch_wheels(folder / "wheels", python)
    _say(folder)


def _pack_photos(source: Path, target: Path, most: float) -> None:
    photos = list_photos(source).photos
    target.mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        sample = photos[:: max(1, len(photos) // _SAMPLE)]
        for quality in QUALITIES:
            size = sum(pool.map(partial(_pack, folder=target, quality=quality), sample)) * len(photos) / len(sample)
            if size < 0.95 * most or quality == QUALITIES[-1]:
                break
        size = sum(pool.map(partial(_pack, folder=target, quality=quality), photos))
    if size > most:
        raise TrainingError(f"{source}: {size / 1e6:.0f} MB of photos at quality {quality}: give fewer, or more `megabytes`")
    sys.stdout.write(f"{len(photos)} photos, {size / 1e6:.1f} MB at quality {quality}\n")


def _pack(photo: Path, folder: Path, quality: int) -> int:
    target = folder / f"{photo.stem}.webp"
    Image.fromarray(read_rgb(photo)).save(target, quality=quality, method=4)
    return target.stat().st_size


def _copy_photos(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for photo in list_photos(source).photos:
        shutil.copy(photo, target / photo.name)


def _fetch_wheels(target: Path, python: str) -> None:
    """The versions that are pinned here, for Linux on x86-64."""
    pinned = dict(line.split("==") for line in _lock_lines())
    wanted = [f"{name}=={pinned[name]}" for name in WHEELS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(target)]
    where = ["--python-version", python, "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64"]
    if subprocess.run([*command, *where, *wanted], check=False).returncode:
        raise TrainingError(f"wheels of {', '.join(wanted)} for Python {python} could not be downloaded: see pip's words above")


def _lock_lines() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line.split(" ")[0].rstrip("\\") for line in lines if "==" in line and not line.startswith((" ", "#"))]


def _say(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    sys.stdout.write(f"{folder}: {size / 2**20:.1f} MiB; there: python3 {folder.name}/go.py SECONDS OUT\n")


if __name__ == "__main__":
    run(main, __doc__)
