"""The model card: what a .tflite is, where it comes from, how to use it. One JSON inside the file and beside it."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

CARD_VERSION = 2
"""2: `halo` is the network's need; version 1 cut it to a quarter of the tile."""


@dataclass(frozen=True)
class Card:
    """Contents of the metadata buffer `mobile_sr`; field names are the JSON's keys.

    Attributes:
        version: of this schema.
        statistics: how a file that takes whole-image statistics wants them made (`conversion.graph.whole_image_inputs`), None for others.
        float_tensors: of an int8 file, how many tensors were left in float on request.
        npu_gelu: of a float16 file, GELU stands in parts on request.
        name: preset or file stem.
        family: class of the network, or "unknown".
        scale: upscaling factor.
        tile: (H, W) of the static input, low-resolution pixels.
        halo: low-resolution pixels around a tile's core after which a seam is below 1/255: the network's need, whatever the tile.
        stride: a tile's window starts at a multiple of it, low-resolution pixels: the network sees an image in blocks of this size.
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
    float_tensors: int = 0
    npu_gelu: bool = False
    stride: int = 1

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)


def made_card(facts: dict, tile: tuple[int, int], **known: Any) -> Card:
    """A card by the rules that hold for every file that is made here; half precision is not measured yet.

    Args:
        facts: of the source: licence and credit are taken from it.
        tile: of the file.
        known: the other fields.
    """
    return Card(
        tile=tile,
        range=(0.0, 1.0),
        half_max=None,
        licence=facts.get("licence", "unknown"),
        credit=facts.get("credit", "unknown"),
        **known,
    )


def tool_versions() -> dict[str, str]:
    """Versions of what made the file."""
    return {name: version(name) for name in ("mobile-sr", "keras", "tensorflow", "ai-edge-litert")}
