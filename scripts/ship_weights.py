"""Puts the result of a training run into the package: weights, .tflite, model card and curves, with measured quality.

    python scripts/ship_weights.py RUN [RUN ...] --credits TRAIN.csv --benchmarks DIR --hardware "2 CPU cores" --limits "..."

The runs are given in order, each started from the one before it; the last one's best weights are shipped.

Writes keras_models/weights/PRESET.safetensors (deploy form, PyTorch names), .tflite (float32), .json (the card) and .png.
"""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated

import typer
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    from conversion.convert_model import convert
    from conversion.measuring.evaluate import evaluate_model
    from keras_models.checkpoints.loading import load_model
    from keras_models.checkpoints.saving import save_network
    from keras_models.folding import fold
    from keras_models.presets import WEIGHTS
    from keras_models.registry import PRESETS
    from keras_models.system.atomic_files import atomic_output
    from keras_models.training.plots import draw_curves

LICENCE = (
    "MIT for what mobile-sr added; trained on {photos} photos under licences of their own, {share_alike} of them CC BY-SA "
    "(counts in the model's card). Whether weights are bound by the licences of training photos is not settled; nobody here has judged it"
)
_GROUPS = {"CC BY-SA": "CC BY-SA", "CC BY": "CC BY", "CC0": "CC0 or public domain", "Public Domain": "CC0 or public domain"}
"""How a licence in the table begins -> what it counts as; any other counts by its own name."""


def main(
    runs: Annotated[list[Path], typer.Argument(help="folders of training runs in order: best.keras, run.json, log.csv")],
    credits_csv: Annotated[Path, typer.Option("--credits", help="CSV with columns source, author, licence: one row per photo")],
    benchmarks: Annotated[Path, typer.Option(help="folder that holds Set5 and Set14")],
    hardware: Annotated[str, typer.Option()],
    limits: Annotated[str, typer.Option(help="known limits, one sentence")],
    preset: Annotated[str, typer.Option(help="whose weights they become, if not the trained one's: of the same network")] = "",
) -> None:
    """Writes the four files."""
    name = preset or _settings(runs[-1])["preset"]
    curves, stages = _history(runs, name)
    licences, nameless = _licences(credits_csv)
    weights = WEIGHTS / f"{name}.safetensors"
    save_network(fold(load_model(runs[-1] / "best.keras")), weights)
    card = {
        "name": name,
        "licence": LICENCE.format(photos=sum(licences.values()), share_alike=licences.get("CC BY-SA", 0)),
        "credit": f"trained by mobile-sr; architecture: {PRESETS[name].credit}" + _taught_by(stages, runs),
        "runs": stages,
        "steps": sum(stage["steps"] for stage in stages),
        "hours": round(sum(stage["hours"] for stage in stages), 2),
        "hardware": hardware,
        "limits": limits,
        "validation_psnr_y": stages[-1]["validation_psnr_y"],
        "quality": {},
        "photo_licences": licences,
        "photos_without_an_author_in_the_table": nameless,
        "training_photos": _credits(credits_csv),
    }
    for folder in ("Set5", "Set14"):
        mean = evaluate_model(weights, benchmarks / folder).mean
        card["quality"][folder] = {"psnr_y": round(mean.psnr_y, 3), "ssim_y": round(mean.ssim_y, 5), "psnr_rgb": round(mean.psnr_rgb, 3)}
    with atomic_output(weights.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    with atomic_output(weights.with_suffix(".png")) as temporary:
        draw_curves(curves, temporary, name)
    convert(name, weights.with_suffix(".tflite"), "float32", card_beside=False)


def _history(runs: list[Path], name: str) -> tuple[dict[str, list[dict]], list[dict]]:
    """The log's rows of each run with their steps counted through, and what is to be told of each run.

    Where the first run began with the weights that now have this name, what is told of them comes first; their rows are gone.
    """
    curves, stages = {}, _card(name)["runs"] if _settings(runs[0])["start"] == name else []
    for number, folder in enumerate(runs):
        before = sum(stage["steps"] for stage in stages)
        own = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader((folder / "log.csv").open())]
        best = max(own, key=lambda row: row["val_psnr_y"])
        settings = _settings(folder)
        if (start := settings["start"]) in PRESETS:
            settings["start"] = f"{start} of {_card(start)['steps']:,} steps"
        elif start:
            settings["start"] = "the run before" if number else Path(start).name
        stage = {"steps": int(best["step"]), "hours": round(best["seconds"] / 3600, 2), "validation_psnr_y": round(best["val_psnr_y"], 3)}
        stages.append({"settings": settings, **stage})
        label = f"run {len(stages)}, {settings['loss']}, {settings['batch']} patches of {settings['patch']}x{settings['patch']}"
        curves[label] = [{**row, "step": row["step"] + before} for row in own]
    return curves, stages


def _taught_by(stages: list[dict], runs: list[Path]) -> str:
    """The teachers of the runs, and of the preset that the first of them began with."""
    first = _settings(runs[0])["start"]
    before = _card(first)["runs"] if first in PRESETS else []
    teachers = sorted({stage["settings"]["teacher"] for stage in [*before, *stages]} - {""})
    return f"; taught by {' and '.join(teachers)}" if teachers else ""


def _settings(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())["settings"]


def _card(preset: str) -> dict:
    return json.loads((WEIGHTS / f"{preset}.json").read_text())


def _licences(path: Path) -> tuple[dict[str, int], int]:
    """How many photos under which kind of licence, the most first; and of how many the table names no author."""
    rows = list(csv.DictReader(path.open()))
    names = (next((group for word, group in _GROUPS.items() if row["licence"].startswith(word)), row["licence"]) for row in rows)
    return dict(Counter(names).most_common()), sum(not row["author"] for row in rows)


def _credits(path: Path) -> list[dict]:
    """Per source and licence: how many photos, and the authors that are known."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in csv.DictReader(path.open()):
        grouped[row["source"], row["licence"]].append(row["author"])
    return [
        {"source": source, "licence": licence, "photos": len(authors), "authors": sorted({author for author in authors if author})}
        for (source, licence), authors in sorted(grouped.items())
    ]


if __name__ == "__main__":
    run(main, __doc__)
