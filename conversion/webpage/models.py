"""A model as a page holds it: a float .tflite with a fixed window, and what the page's script must know of it."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.cpu import CpuEngine
from conversion.engines.whole_image import WholeImageEngine, open_engine
from conversion.source import ModelSource
from conversion.tflite.file import read_tflite
from conversion.tflite.retile import at_tile
from keras_models.system.errors import ModelError
from keras_models.system.quiet import import_keras

WINDOW = 256
"""Side of the network's input, photo pixels: with a halo of 32 a photo takes half the time of 128 (docs/page.md)."""
LARGEST_WINDOW = 512
"""Beyond it one engine would need more than a gigabyte."""
RECIPE = "float16"
"""Half the bytes of float32, computed as that (docs/page.md)."""
# What LiteRT.js takes in a worker without a network, and how much more than its live tensors a network takes.
_LITERT_BYTES, _ENGINE_SHARE = 40 << 20, 1.75


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
        model: preset, .keras file, checkpoint or .onnx, which is converted as float16; or a
            .tflite with float input.
        window: side of the input, where the file allows to choose it; enlarged where the halo wants more.

    Raises:
        ModelError: it cannot be read, or cannot run in a page; the message says why.
        ConversionError: the conversion failed.
    """
    source = ModelSource.of(model)
    label = source.title
    if source.kind == "tflite" and source.path is not None:
        return _from_tflite(label, source.path, window)
    import_keras()
    from conversion.convert_model import convert

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "model.tflite"
        # As `upscale` would have it: a network that reads the whole photo then shows itself by its inputs.
        convert(source, target, RECIPE, card_beside=False, whole_image=source.kind != "onnx")
        return _from_tflite(label, target, window)


def _from_tflite(label: str, path: Path, side: int) -> PageModel:
    engine = open_engine(path)
    if isinstance(engine, WholeImageEngine) or engine.halo >= UNBOUNDED_HALO:
        raise ModelError(
            f"{label}: looks at the whole photo before it enlarges a part, and a page sees one tile at a time: "
            "use `mobile-sr upscale`"
        )
    if engine.stride > 1:
        raise ModelError(
            f"{label}: sees photos in blocks of {engine.stride} pixels, and a page's tiles begin anywhere: use `mobile-sr upscale`"
        )
    if engine.channels != 3 or not engine.colours.values.plain:
        values = "brightness alone" if engine.channels != 3 else engine.colours.values.as_text()
        raise ModelError(f"{label}: takes {values}, a page RGB in 0..1: use `mobile-sr upscale`")
    for what, dtype in (("takes", engine.input_dtype), ("gives", engine.output_dtype)):
        if dtype != np.float32:
            raise ModelError(
                f"{label}: {what} {dtype} images, a page float32 ones: give the network itself, or a float file"
            )
    window = _window(label, engine, side)
    data = path.read_bytes()
    memory = _LITERT_BYTES + round(_ENGINE_SHARE * engine.bytes_per_pixel * window[0] * window[1])
    card = read_tflite(path).card or {}
    return PageModel(
        label,
        data if window == engine.tile else at_tile(data, *window),
        window,
        engine.halo,
        engine.scale,
        memory,
        card,
    )


def _window(label: str, engine: CpuEngine, side: int) -> tuple[int, int]:
    """The (H, W) to run at: half of a side at least is core, whatever the halo."""
    least = 4 * engine.halo
    if not engine.resizable:
        if min(engine.tile) < least:
            raise ModelError(
                f"{label}: runs only at {engine.tile[0]}x{engine.tile[1]} and needs {engine.halo} pixels around "
                f"what it enlarges, so that less than half of it were new: convert it with `tile` {least}x{least} or more"
            )
        return engine.tile
    if least > LARGEST_WINDOW:
        raise ModelError(
            f"{label}: needs {engine.halo} pixels around what it enlarges, a page has {LARGEST_WINDOW // 4}: "
            "use `mobile-sr upscale`"
        )
    return max(side, least), max(side, least)


def card_text(card: dict) -> str:
    """A card to read, "" if there is none."""
    return json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False) if card else ""
