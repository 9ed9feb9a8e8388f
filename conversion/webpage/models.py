"""A model as a page holds it: one float .tflite with a fixed window, and what the page's script has to know of it."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.engines.cpu import CpuEngine
from conversion.tflite.file import read_tflite
from conversion.tflite.retile import at_tile
from conversion.engines.whole_image import open_engine
from keras_models.system.errors import ModelError
from keras_models.presets import preset_meant

WINDOW = 256
"""Side of the network's input, photo pixels: at a halo of 32 it takes half the time of 128 for a photo (docs/page.md)."""
LARGEST_WINDOW = 512
"""Beyond it one engine would need more than a gigabyte."""
DEFAULT_HALO = 32
_LITERT_BYTES = 40 << 20
"""What LiteRT.js takes in a worker before any network is in it."""


@dataclass(frozen=True)
class PageModel:
    """One model.

    Attributes:
        label: what the page calls it.
        data: the .tflite, input (1, *window, 3) float32.
        window: (H, W), photo pixels.
        halo: photo pixels.
        scale: upscaling factor.
        memory: bytes that one engine in the browser needs, estimated.
        card: the model card, {} in a foreign file.
    """

    label: str
    data: bytes
    window: tuple[int, int]
    halo: int
    scale: int
    memory: int
    card: dict


def page_model(model: str, window: int = WINDOW) -> PageModel:
    """Opens a model for a page.

    Args:
        model: preset, .keras file, checkpoint or .onnx, which is converted as float16; or a .tflite with float input.
        window: side of the input, where the file allows to choose it; enlarged where the halo wants more.

    Raises:
        ModelError: it cannot be read, or cannot run in a page; the message says why.
        ConversionError: the conversion failed.
    """
    if Path(model).suffix.lower() == ".tflite" and preset_meant(model) is None:
        return _from_tflite(Path(model).name, Path(model), window)
    from conversion.convert_model import convert

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "model.tflite"
        # As `upscale` would have it: a network that reads the whole image is then told apart by its card.
        convert(model, target, "float16", None if Path(model).suffix.lower() == ".onnx" else (window, window), whole_image=True)
        return _from_tflite(Path(model).name, target, window)


def _from_tflite(label: str, path: Path, side: int) -> PageModel:
    file = read_tflite(path)
    card = file.card or {}
    if card.get("statistics") is not None:
        raise ModelError(f"{label}: looks at the whole photo before it enlarges a part: a page cannot do that, use `mobile-sr upscale`")
    engine = open_engine(path)
    _refuse_integers(label, engine)
    halo = card["halo"] if isinstance(card.get("halo"), int) else DEFAULT_HALO
    window = _window(label, engine, halo, side)
    data = path.read_bytes()
    memory = _LITERT_BYTES + round(engine.bytes_per_pixel * window[0] * window[1])
    return PageModel(label, data if window == engine.tile else at_tile(data, *window), window, halo, engine.scale, memory, card)


def _refuse_integers(label: str, engine: CpuEngine) -> None:
    for what, dtype in (("takes", engine.input_dtype), ("gives", engine.output_dtype)):
        if dtype != np.float32:
            raise ModelError(f"{label}: {what} {dtype} images, which LiteRT.js does not run: give the network itself, or a float file of it")


def _window(label: str, engine: CpuEngine, halo: int, side: int) -> tuple[int, int]:
    """The (H, W) to run at: half of a side at least is core, whatever the halo."""
    least = 4 * halo
    if not engine.resizable:
        if min(engine.tile) < least:
            raise ModelError(
                f"{label}: runs only at {engine.tile[0]}x{engine.tile[1]} and wants {halo} pixels around what it enlarges: "
                f"convert it again with --tile {least}x{least} or more"
            )
        return engine.tile
    if least > LARGEST_WINDOW:
        raise ModelError(f"{label}: wants {halo} pixels around what it enlarges, a page has room for {LARGEST_WINDOW // 4}: use `upscale`")
    return max(side, least), max(side, least)


def card_text(card: dict) -> str:
    """A card to read, "" if there is none."""
    return json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False) if card else ""
