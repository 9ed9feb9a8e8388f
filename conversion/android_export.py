"""The folder that the Android app reads: .tflite files, golden tiles, and `models.json`, the list of their cards."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from conversion.calibration_images import synthetic_images
from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.cpu import CpuEngine
from conversion.model_card import Card
from conversion.npu.compiling import Compilation
from keras_models.metrics import to_uint8
from keras_models.system.atomic_files import atomic_output, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ConversionError
from keras_models.system.json_text import json_object

SCHEMA = 1
_FIELDS = ("name", "family", "scale", "tile", "halo", "range", "recipe", "licence", "credit")


def add_to_android(card: Card, tflite: Path, folder: Path) -> None:
    """Copies a model into the folder with its golden tile, and puts its entry into `models.json`.

    An older entry of the same name and tile is replaced; files that were compiled of it for NPUs go. Several tiles of one model may
    stand there: the app takes the largest that fits.
    The golden tile is a picture of dead leaves of the model's tile size and what the CPU makes of it, both 8-bit RGB PNG.

    Args:
        card: of the file.
        tflite: the file.
        folder: made if missing.

    Raises:
        ConversionError: the folder holds a `models.json` that is not this list, or the app's tiles would be wrong for the network.
        OutputError: the folder cannot be made, or a file not be written.
    """
    _refuse_wrong_tiles(card, tflite)
    make_folder(folder)
    entries = _entries(folder / "models.json")
    older = [entry for entry in entries if (entry["name"], entry.get("tile")) == (card.name, list(card.tile))]
    entries = [entry for entry in entries if entry not in older]
    stem = f"{card.name}-{card.tile[0]}x{card.tile[1]}"
    golden = synthetic_images(*card.tile)[0][0]
    low = to_uint8(golden)
    high = to_uint8(CpuEngine(tflite).run(low.astype(np.float32) / 255))
    names = {"input": f"{stem}_golden_in.png", "output": f"{stem}_golden_out.png"}
    for name, pixels in zip(names.values(), (low, high)):
        with atomic_output(folder / name) as scratch:
            Image.fromarray(pixels).save(scratch, optimize=True)
    with atomic_output(folder / f"{stem}.tflite") as scratch:
        shutil.copyfile(tflite, scratch)
    facts = card.as_json()
    entry = {key: facts[key] for key in _FIELDS}
    entries.append({**entry, "file": f"{stem}.tflite", "sha256": sha256_of(tflite), "golden": names})
    _write(folder, entries)
    for stale in (npu["file"] for entry in older for npu in entry.get("npu", [])):
        (folder / Path(stale).name).unlink(missing_ok=True)  # a list from elsewhere may name any path


def add_compiled(compilation: Compilation, folder: Path) -> None:
    """Copies compiled files beside the plain one that they were made of, and lists them in its entry: the app takes the one for its SoC.

    Args:
        compilation: what `compile_file` wrote, .tflite files.
        folder: with a `models.json` that lists the plain file.

    Raises:
        ConversionError: the plain file is not listed there.
        OutputError: a file cannot be written.
    """
    listed = folder / "models.json"
    entries = _entries(listed)
    entry = next((entry for entry in entries if entry.get("sha256") == compilation.source_sha256), None)
    if entry is None:
        raise ConversionError(f"{listed}: {compilation.source} is not listed: add it first, `convert` with `android` writes both")
    compiled = {npu["soc"]: npu for npu in entry.get("npu", [])}
    for file in compilation.files:
        target = folder / f"{Path(entry['file']).stem}_{file.soc}.tflite"
        with atomic_output(target) as scratch:
            shutil.copyfile(file.file, scratch)
        compiled[file.soc] = {"soc": file.soc, "file": target.name, "sha256": sha256_of(target)}
    entry["npu"] = list(compiled.values())
    _write(folder, entries)


def _write(folder: Path, entries: list[dict]) -> None:
    with atomic_output(folder / "models.json") as scratch:
        scratch.write_text(json.dumps({"schema": SCHEMA, "models": entries}, indent=1) + "\n")


def _refuse_wrong_tiles(card: Card, tflite: Path) -> None:
    """The app's tiles begin anywhere and are of RGB."""
    if card.halo >= UNBOUNDED_HALO:
        raise ConversionError(f"{tflite}: `android`: its result depends on the whole image, and the app sees one tile: leave it out")
    if card.stride > 1:
        blocks = f"it sees an image in blocks of {card.stride} pixels, and the app's tiles begin anywhere"
        raise ConversionError(f"{tflite}: `android`: {blocks}: leave it out")
    if CpuEngine(tflite).channels != 3:
        raise ConversionError(f"{tflite}: `android`: it takes brightness alone, and the app gives RGB: leave it out")


def _entries(path: Path) -> list[dict]:
    if not path.exists():
        return []
    try:
        content = json_object(path.read_bytes()) or {}
    except OSError:
        content = {}
    entries: Any = content.get("models")
    named = isinstance(entries, list) and all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries)
    if content.get("schema") != SCHEMA or not named:
        raise ConversionError(f"{path}: not a models.json of schema {SCHEMA}: give another `android` folder, or move it away")
    return entries
