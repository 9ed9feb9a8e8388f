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
from keras_models.metrics import to_uint8
from keras_models.system.atomic_files import atomic_output, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ConversionError
from keras_models.system.json_text import json_object

SCHEMA = 1
_FIELDS = ("name", "family", "scale", "tile", "halo", "range", "recipe", "licence", "credit")


def add_to_android(card: Card, tflite: Path, folder: Path) -> None:
    """Copies a model into the folder with its golden tile, and puts its entry into `models.json`.

    An older entry of the same name and tile is replaced. Several tiles of one model may stand there: the app takes the
    largest that fits.
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
    entries = [entry for entry in _entries(folder / "models.json") if (entry["name"], entry.get("tile")) != (card.name, list(card.tile))]
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
