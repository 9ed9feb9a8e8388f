"""The photos that quantization-aware training learns from, and those that choose the best weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_models.data.photo_set import PhotoSet, load_photos
from keras_models.system.errors import TrainingError

HELD_OUT = 12  # photos at most, and at most a tenth, if no folder was given to validate on


def photo_sets(data: Path | str, validation: Path | str | None, scale: int, cache: Path | str | None) -> tuple[PhotoSet, PhotoSet]:
    """The training and the validation photos.

    Args:
        data: folder of photos to train on.
        validation: folder of photos that choose the best weights; None takes some of `data`, which are not trained on then.
        scale: of the network.
        cache: folder for the photos' caches, None for the usual one.

    Raises:
        TrainingError: as for `load_photos`, or a single photo and no validation folder.
    """
    photos = load_photos(data, scale, cache)
    if validation:
        return photos, load_photos(validation, scale, cache)
    count = len(photos.photos)
    if count < 2:
        raise TrainingError(f"{data}: only one photo, and one is needed to choose the best weights: give `val` FOLDER")
    held_out = set(np.linspace(0, count - 1, max(1, min(HELD_OUT, count // 10))).round().astype(int).tolist())
    parts = (tuple(p for i, p in enumerate(photos.photos) if (i in held_out) == held) for held in (False, True))
    trained, chosen = (replace(photos, photos=part) for part in parts)
    return trained, replace(chosen, skipped=())
