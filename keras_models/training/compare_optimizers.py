"""Adan against Adam on the same batches: the claim of the LKDN paper (Figure 5) at a budget of one's own."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from keras_models.data.photo_set import PhotoSet
from keras_models.system.atomic_files import atomic_output
from keras_models.training.plots import draw_curves
from keras_models.training.run import Listener, train
from keras_models.training.run_folder import RunFiles
from keras_models.training.settings import ADAM_BETAS, ADAN_BETAS, Settings

PICTURE, NUMBERS = "adan-vs-adam.png", "adan-vs-adam.json"


@dataclass(frozen=True)
class Contest:
    """What came out: validation PSNR-Y, dB, of the averaged weights, by optimizer.

    Attributes:
        schema: version of this record.
        settings: what both runs had in common.
        rates: peak learning rate by optimizer.
        last: after the last step.
        curves: (step, PSNR-Y) at every interval.
        picture: PNG with both curves.
    """

    schema: int
    settings: dict
    rates: dict[str, float]
    last: dict[str, float]
    curves: dict[str, list[tuple[float, float]]]
    picture: str


def compare_optimizers(
    settings: Settings, rates: dict[str, float], photos: PhotoSet, validation: PhotoSet, out: Path | str, listener: Listener | None = None
) -> Contest:
    """Trains one network twice, from the same weights on the same patches, and draws both curves.

    Writes the two runs (each resumable) into `out`, the picture and the numbers beside them.

    Args:
        settings: of both runs; optimizer, rate and betas are replaced.
        rates: peak learning rate of "adam" and of "adan".
        photos: what to train on.
        validation: what to measure on.
        out: folder.
        listener: told how each run goes.

    Raises:
        TrainingError: as `train`.
    """
    out = Path(out)
    rows = {}
    for optimizer, betas in (("adam", ADAM_BETAS), ("adan", ADAN_BETAS)):
        one = replace(settings, optimizer=optimizer, betas=betas, lr=rates[optimizer])
        train(one, photos, out / optimizer, validation, listener)
        rows[optimizer] = RunFiles(out / optimizer).log_rows()
    shared = {key: value for key, value in asdict(settings).items() if key not in ("optimizer", "betas", "lr")}
    curves = {name: [(row["step"], row["val_psnr_y"]) for row in log] for name, log in rows.items()}
    last = {name: curve[-1][1] for name, curve in curves.items()}
    contest = Contest(1, shared, rates, last, curves, PICTURE)
    labels = {f"{name}, {rates[name]:g}": log for name, log in rows.items()}
    with atomic_output(out / PICTURE) as scratch:
        draw_curves(labels, scratch, f"{settings.preset}: the same batches, two optimizers")
    with atomic_output(out / NUMBERS) as scratch:
        scratch.write_text(json.dumps(asdict(contest), indent=1))
    return contest
