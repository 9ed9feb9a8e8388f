"""From a foreign .onnx to a .tflite that keeps the contract: rewrite, onnx2tf, the project's exporter, comparison with the untouched file.

onnx2tf runs as a program in a folder of its own, because it overwrites its input, changes global state at import,
prints hundreds of lines, and downloads a calibration array if none lies in its working folder.
"""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.convert_model import DEFAULT_TILE, Converted
from conversion.engines.cpu import CpuEngine
from conversion.engines.view import View, measure_view
from conversion.model_card import Card, made_card, tool_versions
from conversion.recipes import RECIPES, Recipe, recipe_named
from conversion.source import ModelSource, sha256_of
from conversion.tflite.converter import to_tflite
from conversion.tflite.output import check_target
from keras_models.system.errors import ConversionError
from keras_models.system.json_text import json_object
from keras_models.system.processes import Task, call
from keras_models.system.sandbox import Limits, isolated

READING_TIME_S, READING_BYTES = 120, 2 << 30
"""Limits for reading and rewriting at `DEFAULT_TILE`, and in proportion for a larger --tile; a small network needs 10 s."""
CONVERSION_TIME_S = 1800
"""Limit for onnx2tf; a small network needs 30 seconds."""
CALIBRATION_FILE = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""What onnx2tf 1.28.8 reads or else downloads; it only feeds its own check."""


@dataclass(frozen=True)
class OnnxConversion:
    """What came of a foreign file.

    Attributes:
        card: of the .tflite.
        rewrites: name of the rewrite -> number of places.
        rescaled: intermediates that were given a power of two to stay inside half precision.
        error: largest difference to the untouched file through onnxruntime, outputs clipped to [0, 1].
    """

    card: Card
    rewrites: dict[str, int]
    rescaled: int
    error: float

    def as_text(self) -> str:
        """One line for people."""
        acted = ", ".join(f"{name} {count}" for name, count in self.rewrites.items()) or "none acted"
        return f"rewrites: {acted}; {self.rescaled} intermediates rescaled; largest difference to the ONNX {self.error:.2g}"


def convert_onnx(
    model: str | Path,
    target: str | Path,
    recipe: str = "float32",
    tile: tuple[int, int] | None = None,
    calibration: str | Path | None = None,
    allow_overflow: bool = False,
    card_beside: bool = True,
) -> OnnxConversion:
    """Converts an .onnx of one RGB image [1, 3, H, W] in [0, 1] to one [1, 3, sH, sW], and writes `target` with its card.

    Args:
        model: the .onnx; it is read in a process of its own and never changed.
        target: a .tflite.
        recipe: one that converts foreign files.
        tile: (H, W) of the static input, low-resolution pixels; None for the file's own, or `DEFAULT_TILE` if that is free.
        calibration: folder of photos that ranges are measured on, besides the built-in images.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.

    Raises:
        ConversionError: a file that cannot be read or converted, or whose conversion differs from it.
    """
    path, target = Path(model), check_target(target)
    chosen = recipe_named(recipe)
    if chosen.onnx_error is None:
        known = " or ".join(r.name for r in RECIPES.values() if r.onnx_error is not None)
        raise ConversionError(f"{recipe}: an .onnx becomes {known}: other recipes want the network itself, see `import`")
    with tempfile.TemporaryDirectory(prefix="mobile-sr-onnx-") as name:
        folder = Path(name)
        report = read_and_rewrite(path, folder, tile, calibration)
        data = to_tflite(saved_model(folder / "rewritten.onnx", path), chosen.half_weights)
        converted = folder / f"{path.stem}.tflite"
        converted.write_bytes(data)
        engine = CpuEngine(converted)
        error = _difference(engine, folder / "images.npz")
        if not error <= chosen.onnx_error:
            raise ConversionError(
                f"{path}: the converted file differs by {error:.2g} from onnxruntime on the untouched one, {chosen.onnx_error:g} is "
                "allowed: onnx2tf changed the network; report it"
            )
        halo = measure_halo(engine)
    size = tuple(report["tile"])
    images = synthetic_images(*size) + (photo_crops(calibration, *size) if calibration is not None else [])
    made = Converted(data, _card(path, report, chosen, view), chosen.contract, images, {}, chosen.compact)
    card = made.save(target, allow_overflow, card_beside)
    return OnnxConversion(card, report["rewrites"], report["rescaled"], error)


def read_and_rewrite(path: Path, folder: Path, tile: tuple[int, int] | None, calibration: str | Path | None) -> dict:
    """Runs `conversion.onnx.worker.prepare` in a process of its own; its report."""
    # A large tile that was asked for may cost what it needs; one that only the file says may not.
    larger = 1.0 if tile is None else max(1.0, tile[0] * tile[1] / (DEFAULT_TILE[0] * DEFAULT_TILE[1]))
    return isolated(
        "conversion.onnx.worker:read_for_conversion",
        [str(folder), str(path), tile, DEFAULT_TILE, None if calibration is None else str(calibration)],
        lambda said: ConversionError(
            f"{path}: the ONNX libraries cannot read it ({said}): it is damaged, or large: then allow its size with --tile HxW"
        ),
        Limits(seconds=READING_TIME_S * larger, memory=int(READING_BYTES * larger)),
    )


def saved_model(onnx_file: Path, source: str | Path) -> Path:
    """What onnx2tf makes of a file, in a folder beside it.

    Args:
        onnx_file: of static shape, alone in its folder as far as names that start with "calibration" go; onnx2tf may overwrite it.
        source: what an error calls it.

    Raises:
        ConversionError: onnx2tf fails, or takes too long.
    """
    folder, result = onnx_file.parent, onnx_file.with_suffix("")
    np.save(folder / CALIBRATION_FILE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    # Its check is small: no GPU is taken for it. Its own Keras must not be pointed elsewhere by ours.
    environment = {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}

    def failed(how: str) -> ConversionError:
        advice = "export plainer operations, give a smaller --tile, or report the network"
        return ConversionError(f"{source}: onnx2tf cannot convert it: {how}: {advice}")

    call(Task("conversion.onnx.onnx2tf:run", [onnx_file.name, result.name], CONVERSION_TIME_S, failed, environment, folder))
    if not (result / "saved_model.pb").is_file():
        raise failed("it wrote nothing")
    return result


def _difference(engine: CpuEngine, recorded: Path) -> float:
    with np.load(recorded) as arrays:
        pairs = zip(arrays["images"], arrays["expected"])
        return max(float(np.abs(engine.run(image).clip(0, 1) - expected.clip(0, 1)).max()) for image, expected in pairs)


def _card(path: Path, report: dict, recipe: Recipe, view: View) -> Card:
    facts = ModelSource.of(path).facts | _own_facts(report["metadata"])
    return made_card(
        facts,
        tuple(report["tile"]),
        halo=view.halo,
        stride=view.stride,
        name=path.stem,
        family=facts.get("family", "unknown"),
        scale=report["scale"],
        receptive_radius=report["receptive_radius"],
        recipe=recipe.name,
        source=path.name,
        weights_sha256=sha256_of(path),
        parameters=report["parameters"],
        multi_adds=report["multi_adds"],
        tools=tool_versions() | {name: version(name) for name in ("onnx", "onnxruntime", "onnx2tf")},
    )


def _own_facts(metadata: dict[str, str]) -> dict[str, str]:
    """Family, licence and credit that this project's export wrote into the file."""
    facts = json_object(metadata.get("mobile_sr", "")) or {}
    return {key: value for key, value in facts.items() if key in ("family", "licence", "credit") and isinstance(value, str)}
