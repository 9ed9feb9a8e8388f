"""From a foreign .onnx to a .tflite that keeps the contract: rewrite, onnx2tf, the project's exporter, comparison with the untouched file.

onnx2tf runs as a program in a folder of its own, because it overwrites its input, changes global state at import,
prints hundreds of lines, and downloads a calibration array if none lies in its working folder.
"""

import logging
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.convert_model import DEFAULT_TILE, Converted
from conversion.engines.cpu import CpuEngine
from conversion.engines.values import LUMA, NOTHING_SAID, Said
from conversion.engines.view import View, measure_view
from conversion.model_card import Card, made_card, tool_versions
from conversion.onnx.integers import int8_of
from conversion.onnx.rescaling import open_session
from conversion.recipes import RECIPES, Recipe, recipe_named
from conversion.source import ModelSource
from conversion.tflite.converter import to_tflite
from conversion.tflite.file import read_tflite
from conversion.tflite.output import check_target
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.digest import sha256_of
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
        notes: what a user should know: values that were taken, engines that run it in pieces.
    """

    card: Card
    rewrites: dict[str, int]
    rescaled: int
    error: float
    notes: tuple[str, ...] = ()

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
    said: Said = NOTHING_SAID,
    strict: bool = False,
) -> OnnxConversion:
    """Converts an .onnx of one image, and writes `target`, which takes RGB (or brightness) in [0, 1], with its card.

    Args:
        model: the .onnx; it is read in a process of its own and never changed.
        target: a .tflite.
        recipe: one that converts foreign files.
        tile: (H, W) of the static input, low-resolution pixels; None for the file's own, or `DEFAULT_TILE` if that is free.
        calibration: folder of photos that ranges are measured on, besides the built-in images; integers are fitted to it.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.
        said: of the values that the file takes, where they are not to be measured.
        strict: refuse what an engine would run in pieces, instead of saying so.

    Raises:
        ConversionError: a file that cannot be read or converted, or whose conversion differs from it.
    """
    path, target = Path(model), check_target(target)
    chosen = recipe_named(recipe)
    if not chosen.converts_onnx:
        known = " or ".join(r.name for r in RECIPES.values() if r.converts_onnx)
        raise ConversionError(f"{recipe}: an .onnx becomes {known}: other recipes want the network itself, see `import`")
    if chosen.needs_photos and calibration is None:
        raise ConversionError(f"recipe {recipe} is fitted to photos: give a folder of some dozens as calibration")
    with tempfile.TemporaryDirectory(prefix="mobile-sr-onnx-") as name:
        folder = Path(name)
        report = read_and_rewrite(path, folder, tile, calibration, said)
        data = _emitted(path, folder, report, chosen, calibration)
        converted = folder / f"{path.stem}.tflite"
        converted.write_bytes(data)
        engine = CpuEngine(converted, said=Said("0..1", "rgb"))
        error = _difference(engine, folder / "images.npz")
        notes = [report["note"]] if report["note"] else []
        if chosen.onnx_error is None:
            notes.append(_drop(engine, folder / "rewritten.onnx", report, calibration, chosen))
        elif not error <= max(chosen.onnx_error, report["tolerance"]):
            blamed = _blamed(report)
            raise ConversionError(f"{path}: {blamed} changes the network: the converted file differs by {error:.2g} from {_INSTEAD}")
        view = measure_view(engine)
        pieces = cpu_partitions(converted)
        rank = max(len(tensor.shape) for tensor in read_tflite(converted).tensors)
    if pieces > 1 and chosen.contract.one_partition:
        why = f"{_blamed(report)} is not among the operations of XNNPACK, the engine on CPUs, which runs the file in {pieces} pieces"
        if strict:
            raise ConversionError(f"{path}: {why}: leave `strict` out to have it so, or export the network without it")
        notes.append(f"{why}: right, and slower than in one")
    if rank > 4:
        why = f"{_blamed(report)} make tensors of rank {rank}, and phones' GPUs take 4 at most"
        if strict:
            raise ConversionError(f"{path}: {why}: leave `strict` out to have it for CPUs, or export the network without it")
        notes.append(f"{why}: the file is for CPUs")
    size = tuple(report["tile"])
    photos = photo_crops(calibration, *size) if calibration is not None else []
    images = [image if report["channels"] == 3 else (image @ LUMA)[..., None] for image in synthetic_images(*size) + photos]
    contract = replace(chosen.contract, one_partition=False, low_rank=False)
    made = Converted(data, _card(path, report, chosen, view), contract, images, {}, chosen.compact)
    card = made.save(target, allow_overflow, card_beside)
    return OnnxConversion(card, report["rewrites"], report["rescaled"], error, tuple(notes))


_INSTEAD = "onnxruntime on the untouched one: use the .onnx itself, which `upscale` runs as it is, or export plainer operations"


def _emitted(path: Path, folder: Path, report: dict, recipe: Recipe, calibration: str | Path | None) -> bytes:
    """The .tflite's bytes.

    Raises:
        ConversionError: no converter takes one of the network's operations.
    """
    try:
        saved = saved_model(folder / "rewritten.onnx", path)
        if recipe.onnx_error is None:
            return int8_of(saved, _photo_images(report, calibration), recipe.name)
        return to_tflite(saved, recipe.half_weights)
    except ConversionError as error:
        logging.getLogger(__name__).debug("%s: %s", path, error)
        raise ConversionError(
            f"{path}: {_blamed(report)} cannot be converted to TFLite: use the .onnx itself, which `upscale` runs as it is, or export "
            "plainer operations"
        ) from None


def _blamed(report: dict) -> str:
    """The operations of the network that are likely to blame: those that were never tried, else those that are not everywhere."""
    common = {"Conv", "Add", "Mul", "Relu", "Min", "DepthToSpace", "Concat", "LeakyRelu", "PRelu", "Sub", "Sigmoid"}
    suspects = report["untried"] or sorted(set(report["operations"]) - common) or sorted(report["operations"])
    return f"its {', '.join(suspects)}" if len(suspects) < 6 else f"one of its {', '.join(suspects)}"


def read_and_rewrite(
    path: Path, folder: Path, tile: tuple[int, int] | None, calibration: str | Path | None, said: Said = NOTHING_SAID
) -> dict:
    """Runs `conversion.onnx.worker.prepare` in a process of its own; its report."""
    # A large tile that was asked for may cost what it needs; one that only the file says may not.
    larger = 1.0 if tile is None else max(1.0, tile[0] * tile[1] / (DEFAULT_TILE[0] * DEFAULT_TILE[1]))
    return isolated(
        "conversion.onnx.worker:read_for_conversion",
        [str(folder), str(path), tile, DEFAULT_TILE, None if calibration is None else str(calibration), [said.range, said.order]],
        lambda said: ConversionError(
            f"{path}: the ONNX libraries cannot read it ({said}): it is damaged, or large: then allow its size with `tile` HxW"
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
        return ConversionError(f"{source}: onnx2tf cannot convert it: {how}: export plainer operations, or give a smaller `tile`")

    call(Task("conversion.onnx.onnx2tf:run", [onnx_file.name, result.name], CONVERSION_TIME_S, failed, environment, folder))
    if not (result / "saved_model.pb").is_file():
        raise failed("it wrote nothing")
    return result


def _difference(engine: CpuEngine, recorded: Path) -> float:
    with np.load(recorded) as arrays:
        pairs = zip(arrays["images"], arrays["expected"])
        return max(float(np.abs(engine.infer(image).clip(0, 1) - expected.clip(0, 1)).max()) for image, expected in pairs)


def _photo_images(report: dict, calibration: str | Path | None) -> list[np.ndarray]:
    """Low-resolution crops of the photos that integers are fitted to, (1, h, w, c)."""
    from conversion.quantization.int8 import CALIBRATION_TILE, CROPS
    from conversion.quantization.photo_crops import low_resolution_crops

    assert calibration is not None
    height, width = report["tile"]
    side = min(CALIBRATION_TILE, max(height, width))
    wider = ((0, max(0, height - side)), (0, max(0, width - side)), (0, 0))
    crops = [
        np.pad(crop, wider, mode="reflect")[:height, :width]
        for crop in low_resolution_crops(calibration, side, report["scale"], CROPS)
    ]
    return [(crop if report["channels"] == 3 else (crop @ LUMA)[..., None])[None] for crop in crops]


def _drop(engine: CpuEngine, rewritten: Path, report: dict, calibration: str | Path | None, recipe: Recipe) -> str:
    """What integers cost, on the photos, in dB to the float network.

    Raises:
        ConversionError: more than the recipe allows.
    """
    session = open_session(str(rewritten))
    errors = []
    for image in _photo_images(report, calibration):
        exact = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0][0].transpose(1, 2, 0)
        errors.append(np.square(engine.infer(image[0]).clip(0, 1) - exact).mean())
    psnr = -10 * np.log10(max(float(np.mean(errors)), 1e-20))
    if recipe.psnr is not None and psnr < recipe.psnr:
        raise ConversionError(
            f"{engine.path.stem}: {recipe.name}: only {psnr:.1f} dB to the float network on the photos, {recipe.psnr:g} is the least: its "
            "values spread too far for 8 bits: use float16, or train it with quantization"
        )
    return f"{recipe.name}: {psnr:.1f} dB to the float network on {len(errors)} crops of the photos"


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
