"""How much noise an upscaler removes: a blend of two published checkpoints, where the catalogue names such a pair."""

import hashlib
from pathlib import Path

from keras_models.catalogue import CATALOGUE, find_published, published_meant
from keras_models.checkpoints.blending import blend_states
from keras_models.checkpoints.fetching import fetch
from keras_models.checkpoints.state_dict import read_state
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.errors import ModelError


def denoised(model: str, strength: float) -> str:
    """The model argument for a strength of denoising; a blend is made once and kept in the user's cache.

    Args:
        model: name of published weights with a `denoise` pair.
        strength: 0 (noise stays) to 1 (what the model does by itself).

    Raises:
        ModelError: another strength, or a model without a pair.
        FetchError: one of the two cannot be had.
    """
    if not 0 <= strength <= 1:
        raise ModelError(f"`denoise` {strength:g}: give 0 (noise stays) to 1 (all that the model removes)")
    strong = published_meant(model)
    weak = find_published(strong.denoise) if strong is not None and strong.denoise else None
    if strong is None or weak is None:
        able = " or ".join(name for name, weights in CATALOGUE.items() if weights.denoise)
        raise ModelError(f"`denoise` {strength:g}: {model} has one strength only: give as `model` {able}")
    if strength in (0, 1):
        return (strong if strength else weak).name
    digest = hashlib.sha256(f"{strong.sha256} {weak.sha256} {strength!r}".encode()).hexdigest()[:24]
    place = cache_folder() / "blends" / f"{Path(strong.file).stem}-denoise-{strength:g}-{digest}.safetensors"
    if not place.is_file():
        from safetensors.numpy import save_file

        first, second = (read_state(fetch(weights)) for weights in (strong, weak))
        make_folder(place.parent)
        with atomic_output(place) as scratch:
            save_file(blend_states(first, second, 1 - strength), scratch, metadata={"format": "pt"})
    return str(place)
