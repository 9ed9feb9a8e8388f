"""From a network to a .tflite file that keeps the contract: rewrite, rescale, export, measure, write with its card."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from conversion.calibration import photo_crops, synthetic_images
from conversion.card import Card, sha256_of, tool_versions
from conversion.export import RECIPES, check_contract, to_tflite
from conversion.half_range import HALF_MAX, measure_half_range
from conversion.rescaling import within_half_range
from conversion.rewrites import deploy_graph
from conversion.tflite_file import read_tflite, with_metadata
from keras_models.errors import ConversionError
from keras_models.folding import fold
from keras_models.graph import multi_adds, to_keras
from keras_models.loading import load_model
from keras_models.outputs import atomic_output
from keras_models.presets import find_preset

DEFAULT_TILE = (128, 128)


def convert(
    model: str | Path,
    target: str | Path,
    recipe: str = "float32",
    tile: tuple[int, int] = DEFAULT_TILE,
    calibration: str | Path | None = None,
    allow_overflow: bool = False,
    card_beside: bool = True,
) -> Card:
    """Converts a preset, .keras file or checkpoint, and writes `target` with its card inside and beside it.

    Args:
        model: preset name or path; a training form is folded first.
        target: a .tflite; the card is `target` with the ending .json.
        recipe: one of `RECIPES`.
        tile: (H, W) of the static input, low-resolution pixels.
        calibration: folder of photos that ranges are measured on, besides the built-in images.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.

    Returns:
        The card.

    Raises:
        ConversionError: a broken contract, an unknown recipe, or intermediates beyond half's range.
    """
    target = Path(target)
    if target.suffix != ".tflite":
        raise ConversionError(f"{target}: the output must end in .tflite")
    if recipe not in RECIPES:
        raise ConversionError(f"{recipe}: no such recipe: give one of {', '.join(RECIPES)}")
    deploy = fold(load_model(model))
    images = synthetic_images(*tile)
    if calibration is not None:
        images += photo_crops(calibration, *tile)
    data = tflite_bytes(deploy, recipe, tile, images)
    with atomic_output(target) as temporary:
        temporary.write_bytes(data)
        check_contract(read_tflite(temporary))
        measured = measure_half_range(temporary, images)
        if not measured.safe and not allow_overflow:
            raise ConversionError(
                f"{target}: {len(measured.over)} intermediates leave half precision ({measured.tensor} reaches {measured.largest:.2g}, "
                f"the limit is {HALF_MAX:.0f}), a phone GPU would give NaN: convert with --allow-overflow for CPU use only"
            )
        card = _card(model, deploy, recipe, tile, measured.largest)
        temporary.write_bytes(with_metadata(data, card.as_json()))
    if card_beside:
        with atomic_output(target.with_suffix(".json")) as beside:
            beside.write_text(json.dumps(card.as_json(), indent=1, sort_keys=True) + "\n")
    return card


def tflite_bytes(deploy: keras.Model, recipe: str, tile: tuple[int, int], images: Sequence[np.ndarray], rescaled: bool = True) -> bytes:
    """The converted network, without metadata.

    Args:
        deploy: a network in deploy form.
        recipe: one of `RECIPES`.
        tile: (H, W), low-resolution pixels.
        images: what ranges are measured on, (1, H, W, 3) float32 in [0, 1].
        rescaled: False leaves the powers of two out (a control for tests: released weights then overflow half precision).
    """
    graph = deploy_graph(deploy, *tile)
    if rescaled:
        graph = within_half_range(graph, images)
    return to_tflite(to_keras(graph, *tile), recipe)


def _card(model: str | Path, deploy: keras.Model, recipe: str, tile: tuple[int, int], half_max: float) -> Card:
    preset = find_preset(str(model))
    source = preset.weights if preset is not None and not Path(model).exists() else Path(model)
    facts = _source_facts(source)
    return Card(
        name=preset.name if preset else source.stem,
        family=type(deploy).__name__,
        scale=deploy.scale,
        tile=tile,
        halo=min(deploy.halo, min(tile) // 4),  # half of a small tile's side stays core
        receptive_radius=deploy.receptive_radius,
        range=(0.0, 1.0),
        recipe=recipe,
        half_max=float(f"{half_max:.4g}"),
        source=source.name,
        weights_sha256=sha256_of(source) if source.is_file() else _weights_digest(deploy),
        parameters=deploy.count_params(),
        multi_adds=multi_adds(deploy, *tile),
        licence=facts.get("licence", "unknown"),
        credit=facts.get("credit", "unknown"),
        tools=tool_versions(),
    )


def _source_facts(source: Path) -> dict:
    """Licence and credit from the model card beside the weights, if there is one."""
    beside = source.with_suffix(".json")
    try:
        facts = json.loads(beside.read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _weights_digest(model: keras.Model) -> str:
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
