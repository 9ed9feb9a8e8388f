"""What a page says about one model besides its pictures: where it comes from, its files by recipe, what they are and do."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from conversion.measuring.inspection import Inspection, inspect_tflite
from conversion.measuring.recipe_table import RecipeRow, convert_recipes, measure_files
from conversion.measuring.report.subjects import Subject
from conversion.recipes import RECIPES
from conversion.source import ModelSource
from conversion.tflite.file import read_tflite
from keras_models.presets import Preset
from keras_models.registry import PRESETS

RUNS = 5


@dataclass(frozen=True)
class ModelFacts:
    """One model.

    Attributes:
        subject: which.
        preset: of the same architecture, None if no preset has this family, scale and number of parameters.
        about: sentences: what it is; where its weights come from.
        parameters: of the deploy form, None if the file does not say.
        weights_card: the card beside the weights, {} if there is none.
        file_card: the card in the first file, {} in a foreign one.
        inspections: recipe -> what that file is.
        rows: size, times and quality by recipe.
        tile: "HxW" that was timed, low-resolution pixels.
        machine: where.
        notes: which recipes are not there, and why.
        curves: picture of the training, WebP; None if none lies with the weights.
    """

    subject: Subject
    preset: Preset | None
    about: tuple[str, ...]
    parameters: int | None
    weights_card: dict
    file_card: dict
    inspections: dict[str, Inspection]
    rows: tuple[RecipeRow, ...]
    tile: str
    machine: str
    notes: tuple[str, ...]
    curves: bytes | None

    @property
    def phone_recipe(self) -> str:
        """The recipe whose file a phone's GPU would be given: float16 where there is one."""
        return "float16" if "float16" in self.inspections else next(iter(self.inspections))


def recipes_of(subject: Subject, calibration: str | Path | None) -> tuple[str, ...]:
    """The recipes that a page tries: none for a file that is converted already."""
    if subject.converted:
        return ()
    foreign = _foreign(subject)
    return tuple(
        name
        for name, recipe in RECIPES.items()
        if (calibration is not None or not recipe.needs_photos) and (recipe.converts_onnx or not foreign)
    )


def _foreign(subject: Subject) -> bool:
    return ModelSource.of(subject.model).kind == "onnx"


def gather_facts(
    subject: Subject,
    data: str | Path,
    calibration: str | Path | None,
    folder: Path,
    tile: tuple[int, int],
    step: Callable[[], None] = lambda: None,
) -> ModelFacts:
    """Converts a model by every recipe and measures the files.

    Args:
        subject: which.
        data: folder that quality is measured on.
        calibration: photos that the integer recipes are fitted to; None leaves those recipes out.
        folder: where the files go.
        tile: (H, W) that is timed, low-resolution pixels; a .tflite, and what an .onnx became, is timed at its own.
        step: called after each conversion, after timing, and after measuring each file.

    Raises:
        MobileSRError: no recipe works, or a photo or file cannot be used.
    """
    folder.mkdir()
    files, notes = _files(subject, calibration, folder, step)
    rows, times = measure_files(files, data, None if subject.converted or _foreign(subject) else tile, RUNS, step)
    inspections = {recipe: inspect_tflite(path) for recipe, path in files.items()}
    card = next(iter(inspections.values())).card
    card = card if isinstance(card, dict) else {}
    source = ModelSource.of(subject.model)
    weights_card = source.facts
    preset = _architecture(card)
    return ModelFacts(
        subject=subject,
        preset=preset,
        about=_about(subject, preset, card, weights_card),
        parameters=_number(card, "parameters"),
        weights_card={} if subject.converted else weights_card,  # beside a .tflite lies its own card once more
        file_card=card,
        inspections=inspections,
        rows=rows,
        tile=times.rows[0].tile,
        machine=f"{times.machine}, ai-edge-litert {times.runtime}",
        notes=notes,
        curves=None if source.path is None else _curves(source.path, weights_card),
    )


def _files(
    subject: Subject, calibration: str | Path | None, folder: Path, step: Callable[[], None]
) -> tuple[dict[str, Path], tuple[str, ...]]:
    if subject.converted:
        path = Path(subject.model)
        card = read_tflite(path).card
        recipe = _word(card, "recipe") if isinstance(card, dict) else None
        return {recipe or "as given": path}, ("A converted file has one recipe: give the network that it was made of to see the others.",)
    made = convert_recipes(subject.model, recipes_of(subject, calibration), calibration, folder, step)
    fitted = ", ".join(name for name, recipe in RECIPES.items() if recipe.needs_photos)
    left_out = f"{fitted} are fitted to photos: give a folder of some dozens for calibration, too."
    return made.files, made.notes if calibration is not None else (left_out, *made.notes)


def _architecture(card: dict) -> Preset | None:
    known = (_word(card, "family"), _number(card, "scale"), _number(card, "parameters"))
    return next((p for p in PRESETS.values() if (p.network, p.scale, p.parameters[1]) == known), None)


def _about(subject: Subject, preset: Preset | None, card: dict, weights_card: dict) -> tuple[str, ...]:
    what = f"{subject.label} makes photos {subject.scale} times larger on each side."
    parameters = _number(card, "parameters")
    if preset is not None:
        what += f" {preset.description}; {preset.parameters[1]:,} parameters as it runs, {preset.multi_adds / 1e9:.2f} G multiply-adds"
        what += " for a 1280x720 result."
    elif parameters is not None:
        what += f" {_word(card, 'family') or 'A network'} of {parameters:,} parameters."
    if not card and not weights_card:
        return what, "The file carries no model card: who made it, and under which licence, it does not say."
    facts = {**card, **weights_card}
    source, credit, licence = (_word(facts, key) for key in ("source", "credit", "licence"))
    origin = f"Its weights come from {source or subject.label}"
    origin += f": {credit}." if credit else ", which does not say who trained them."
    origin += f" Licence: {licence}." if licence else " A licence is not stated."
    limits = _word(facts, "limits")
    return tuple(filter(None, (what, origin, limits)))


def _curves(source: Path, weights_card: dict) -> bytes | None:
    """The picture beside shipped weights, or that of the training run in whose folder the weights lie."""
    if "runs" in weights_card:
        picture = source.with_suffix(".png")
    elif (source.parent / "log.csv").is_file():
        picture = source.parent / "curves.png"
    else:
        return None
    try:
        with Image.open(picture, formats=["PNG"]) as image:
            file = io.BytesIO()
            image.convert("RGB").save(file, "WEBP", lossless=True)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return file.getvalue()


def _word(card: dict, key: str) -> str | None:
    value = card.get(key)
    return value if isinstance(value, str) and value not in ("", "unknown") else None


def _number(card: dict, key: str) -> int | None:
    value: Any = card.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
