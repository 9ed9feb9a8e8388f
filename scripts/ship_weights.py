"""Puts the result of a training run into the package: weights, .tflite, model card and curves, with measured quality.

    python scripts/ship_weights.py RUN --credits TRAIN.csv --benchmarks DIR --hardware "2 CPU cores" --limits "..."

Writes keras_models/weights/PRESET.safetensors (deploy form, PyTorch names), .tflite (float16), .json (the card) and .png.
"""

import argparse
import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path

from conversion.convert import convert
from conversion.evaluate import evaluate_model
from conversion.network_files import save_network
from keras_models.folding import fold
from keras_models.loading import load_model
from keras_models.outputs import atomic_output
from keras_models.presets import WEIGHTS

LICENCE = "MIT for the weights; the training photos keep their own licences, see credits"


def main() -> None:
    """Parses the command line and writes the four files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a training run: best.keras, run.json, log.csv, curves.png")
    parser.add_argument("--credits", type=Path, required=True, help="CSV with columns source, author, licence: one row per photo")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder that holds Set5 and Set14")
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--limits", required=True, help="known limits, one sentence")
    a = parser.parse_args()

    run = json.loads((a.run / "run.json").read_text())
    rows = list(csv.DictReader((a.run / "log.csv").open()))
    best = max(rows, key=lambda row: float(row["val_psnr_y"]))
    name = run["settings"]["preset"]
    weights = WEIGHTS / f"{name}.safetensors"
    save_network(fold(load_model(a.run / "best.keras")), weights)
    card = {
        "name": name,
        "licence": LICENCE,
        "credit": "trained by mobile-sr; architecture: Xie et al., CVPR NTIRE 2023",
        "settings": run["settings"],
        "steps": int(best["step"]),
        "hours": round(float(best["seconds"]) / 3600, 2),
        "hardware": a.hardware,
        "limits": a.limits,
        "validation_psnr_y": round(float(best["val_psnr_y"]), 3),
        "quality": {},
        "training_photos": _credits(a.credits),
    }
    for folder in ("Set5", "Set14"):
        mean = evaluate_model(weights, a.benchmarks / folder).mean
        card["quality"][folder] = {"psnr_y": round(mean.psnr_y, 3), "ssim_y": round(mean.ssim_y, 5), "psnr_rgb": round(mean.psnr_rgb, 3)}
    with atomic_output(weights.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    with atomic_output(weights.with_suffix(".png")) as temporary:
        shutil.copyfile(a.run / "curves.png", temporary)
    convert(name, weights.with_suffix(".tflite"), "float16", card_beside=False)


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
    main()
