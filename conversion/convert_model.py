"""From a network to a .tflite file that keeps the contract: rewrite, rescale, export, measure, write with its card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.graph.avx512 import for_wide_vectors
from conversion.graph.exact_rewrites import deploy_graph
from conversion.graph.half_range import within_half_range
from conversion.graph.ir import graph_of, multi_adds, to_keras
from conversion.graph.whole_image_inputs import epsilon_of, exact_sweeps, has_statistics, with_statistics_input
from conversion.model_card import Card, made_card, sha256_of, source_facts, source_of, tool_versions, weights_digest
from conversion.onnx.route import convert_onnx
from conversion.quantization.quantized import QUANTIZED, calibration_images, quantized_bytes, write_quantized
from conversion.tflite.converter import DEFAULT_TILE, RECIPES, to_tflite
from conversion.tflite.file import with_metadata
from conversion.tflite.output import check_target, write_card, write_tflite
from keras_models.checkpoints.loading import load_model
from keras_models.folding import fold
from keras_models.presets import find_preset
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

SWEEPS = 1
"""Passes over an image that settle its statistics before it is enlarged (measured, see docs/mafdn.md)."""


def convert(
    model: str | Path,
    target: str | Path,
    recipe: str = "float32",
    tile: tuple[int, int] | None = None,
    calibration: str | Path | None = None,
    allow_overflow: bool = False,
    card_beside: bool = True,
    whole_image: bool = False,
    float_tensors: int = 0,
) -> Card:
    """Converts a preset, .keras file, checkpoint or .onnx, and writes `target` with its card inside and beside it.

    Args:
        model: preset name or path; a training form is folded first.
        target: a .tflite; the card is `target` with the ending .json.
        recipe: one of `RECIPES` or `QUANTIZED`.
        tile: (H, W) of the static input, low-resolution pixels; None for an .onnx file's own size, else `DEFAULT_TILE`.
        calibration: folder of photos that ranges are measured on, besides the built-in images; the `QUANTIZED` recipes are
            fitted to these photos alone and must have it.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.
        whole_image: a network that reads whole-image statistics gets them as an input (see `conversion.graph.whole_image_inputs`), for the
            CPU engine of `upscale`, whose half precision nobody needs: it is not measured. No difference for other networks.
        float_tensors: with recipe int8, how many tensors stay in float: those whose rounding hurts the picture most.

    Returns:
        The card.

    Raises:
        ConversionError: a broken contract, an unknown recipe, or intermediates beyond half's range.
    """
    target = check_target(target)
    if recipe not in (*RECIPES, *QUANTIZED):
        raise ConversionError(f"{recipe}: no such recipe: give one of {', '.join((*RECIPES, *QUANTIZED))}")
    if Path(model).suffix.lower() == ".tflite":
        raise ConversionError(f"{model}: converted already: give the network that it was made of")
    if float_tensors and recipe != "int8":
        raise ConversionError(f"--float-tensors {float_tensors}: only --recipe int8 takes it")
    if whole_image and recipe in QUANTIZED:
        raise ConversionError(f"--whole-image: {recipe} has no such form: give --recipe float32 or float16")
    if Path(model).suffix.lower() == ".onnx":
        return convert_onnx(model, target, recipe, tile, calibration, allow_overflow, card_beside).card
    if recipe in QUANTIZED:
        return convert_quantized(model, target, recipe, tile or DEFAULT_TILE, calibration, card_beside, float_tensors)[0]
    tile = tile or DEFAULT_TILE
    deploy = fold(load_model(model))
    if whole_image and has_statistics(graph_of(deploy)):
        return _convert_whole_image(model, deploy, target, recipe, tile, card_beside)
    images = synthetic_images(*tile)
    if calibration is not None:
        images += photo_crops(calibration, *tile)
    data = tflite_bytes(deploy, recipe, tile, images)
    return write_tflite(data, target, images, lambda half_max: card_for(model, deploy, recipe, tile, half_max), allow_overflow, card_beside)


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
    if recipe == "float32":  # the recipe for computers; phones run the others
        graph = for_wide_vectors(graph)
    return to_tflite(to_keras(graph, *tile), recipe)


def convert_quantized(
    model: str | Path,
    target: Path,
    recipe: str,
    tile: tuple[int, int],
    calibration: str | Path | None,
    card_beside: bool = True,
    float_tensors: int = 0,
) -> tuple[Card, dict[str, float]]:
    """`convert` for the recipes that are `QUANTIZED`: the card, and with int8 each tensor's rounding error as it reaches the output.

    Args and errors are those of `convert`; the second result is name -> mean square, output in [0, 1].
    """
    deploy = fold(load_model(model))
    images = calibration_images(calibration, recipe, deploy.scale)
    data, noise = quantized_bytes(deploy, recipe, tile, images, float_tensors)
    card = card_for(model, deploy, recipe + (f", {float_tensors} tensors in float" if float_tensors else ""), tile, None)
    write_quantized(data, card, target, card_beside)
    return card, noise


def _convert_whole_image(
    model: str | Path, deploy: keras.Model, target: Path, recipe: str, tile: tuple[int, int], card_beside: bool
) -> Card:
    graph = deploy_graph(deploy, *tile)
    data = to_tflite(to_keras(with_statistics_input(graph), *tile, taps=["moments"]), recipe)
    exact = exact_sweeps(graph)
    statistics = {"epsilon": epsilon_of(graph).tolist(), "exact_sweeps": exact, "sweeps": min(SWEEPS, exact)}
    card = replace(card_for(model, deploy, recipe, tile, None), statistics=statistics)
    with atomic_output(target) as temporary:
        temporary.write_bytes(with_metadata(data, card.as_json()))
    if card_beside:
        write_card(card, target)
    return card


def card_for(model: str | Path, deploy: keras.Model, recipe: str, tile: tuple[int, int], half_max: float | None) -> Card:
    """The card of a file made of a network (`deploy`, in deploy form) that was given as `model`; `half_max` None: not measured."""
    preset = find_preset(str(model))
    source = source_of(model)
    return made_card(
        source_facts(source),
        tile,
        deploy.halo,
        half_max,
        name=preset.name if preset else source.stem,
        family=type(deploy).__name__,
        scale=deploy.scale,
        receptive_radius=deploy.receptive_radius,
        recipe=recipe,
        source=source.name,
        weights_sha256=sha256_of(source) if source.is_file() else weights_digest(deploy),
        parameters=deploy.count_params(),
        multi_adds=multi_adds(deploy, *tile),
        tools=tool_versions(),
    )
