"""The model card: what a .tflite is, where it comes from, how to use it. One JSON inside the file and beside it."""

import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_models.presets import preset_meant
from keras_models.system.json_text import json_object

if TYPE_CHECKING:
    import keras

CARD_VERSION = 1


@dataclass(frozen=True)
class Card:
    """Contents of the metadata buffer `mobile_sr`; field names are the JSON's keys.

    Attributes:
        version: of this schema.
        statistics: how a file that takes whole-image statistics wants them made (see `conversion.graph.whole_image_inputs`), None for others.
        name: preset or file stem.
        family: class of the network, or "unknown".
        scale: upscaling factor.
        tile: (H, W) of the static input, low-resolution pixels.
        halo: low-resolution pixels around a tile's core after which a seam is below 1/255.
        receptive_radius: low-resolution pixels, the halo that makes tiles exact; None if unknown.
        range: (low, high) of input and output values, as floats.
        recipe: "float32", "float16" ...
        half_max: largest intermediate on the calibration images; above 65504 half precision overflows. None: not measured.
        source: name of the file or preset that the weights came from.
        weights_sha256: of the source file; of the weights' bytes where there is none.
        parameters: of the deploy form.
        multi_adds: of the deploy form's convolutions for one tile.
        licence: of the weights, "unknown" if the source does not say.
        credit: whom to name.
        tools: package -> version.
    """

    name: str
    family: str
    scale: int
    tile: tuple[int, int]
    halo: int
    receptive_radius: int | None
    range: tuple[float, float]
    recipe: str
    half_max: float | None
    source: str
    weights_sha256: str
    parameters: int
    multi_adds: int
    licence: str
    credit: str
    tools: dict[str, str]
    version: int = CARD_VERSION
    statistics: dict | None = None

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)


def made_card(facts: dict, tile: tuple[int, int], halo: int, half_max: float | None, **known: Any) -> Card:
    """A card by the rules that hold for every file that is made here.

    Args:
        facts: of `source_facts`: licence and credit are taken from it.
        tile: of the file.
        halo: that the network wants; half of a small tile's side stays core.
        half_max: as measured, or None.
        known: the other fields.
    """
    return Card(
        tile=tile,
        halo=min(halo, min(tile) // 4),
        range=(0.0, 1.0),
        half_max=None if half_max is None else float(f"{half_max:.4g}"),
        licence=facts.get("licence", "unknown"),
        credit=facts.get("credit", "unknown"),
        **known,
    )


def tool_versions() -> dict[str, str]:
    """Versions of what made the file."""
    return {name: version(name) for name in ("mobile-sr", "keras", "tensorflow", "ai-edge-litert")}


def sha256_of(path: str | Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_digest(model: "keras.Model") -> str:
    """Hex digest of a network's weights."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def source_of(model: str | Path) -> Path:
    """The file that a model argument's weights come from: itself, or a preset's."""
    preset = preset_meant(model)
    return preset.weights if preset is not None and preset.weights is not None else Path(model)


def source_facts(source: Path) -> dict:
    """Licence and credit from the model card beside the weights, if there is one."""
    try:
        return json_object(source.with_suffix(".json").read_bytes()) or {}
    except OSError:
        return {}
