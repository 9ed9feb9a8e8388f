"""From a network to a .tflite file that keeps the contract: unroll, emit by a recipe, check, write with its card."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conversion.model_card import Card, made_card, tool_versions
from conversion.recipes import DEFAULT_RECIPE, Contract, Recipe, calibration_images, recipe_named
from conversion.source import ModelLike, ModelSource
from conversion.tflite.output import check_target, write_tflite
from keras_models.system.errors import ConversionError

if TYPE_CHECKING:
    from conversion.graph.ir import Graph
    from keras_models.base import SuperResolution

DEFAULT_TILE = (128, 128)
SWEEPS = 1
"""Passes over an image that settle its statistics before it is enlarged (measured, see docs/mafdn.md)."""
WHOLE_IMAGE = Contract(one_partition=False, half_range=False)
"""Of a file that takes whole-image statistics: it is for the CPU, whose half precision nobody needs."""


@dataclass(frozen=True)
class Converted:
    """A conversion that is not written yet.

    Attributes:
        data: the .tflite without its card.
        card: of it; what half precision reaches is measured when it is saved.
        contract: what it is held to when it is saved.
        images: what half precision's range is measured on, (1, H, W, 3) float32 in [0, 1].
        noise: of an int8 file, each tensor's rounding error as it reaches the output, mean square, output in [0, 1].
        compact: equal vectors are stored once.

    Example:
        >>> import conversion
        >>> converted = conversion.convert_network("lkdn-s-x4", "float16", (32, 32))
        >>> converted.card.recipe, converted.data[4:8]
        ('float16', b'TFL3')
    """

    data: bytes
    card: Card
    contract: Contract
    images: Sequence[np.ndarray]
    noise: dict[str, float]
    compact: bool

    def save(self, target: str | Path, allow_overflow: bool = False, card_beside: bool = True) -> Card:
        """Checks and writes the file, its card inside and beside it.

        Raises:
            ConversionError: a broken contract, or intermediates beyond half's range.
        """
        images = self.images if self.contract.half_range else ()
        return write_tflite(
            self.data, check_target(target), self.card, self.contract, images, allow_overflow, card_beside, self.compact
        )


def convert(
    model: ModelLike,
    target: str | Path,
    recipe: str = DEFAULT_RECIPE,
    tile: tuple[int, int] | None = None,
    calibration: str | Path | None = None,
    allow_overflow: bool = False,
    card_beside: bool = True,
    whole_image: bool = False,
    float_tensors: int = 0,
    npu_gelu: bool = False,
) -> Card:
    """Converts a preset, .keras file, checkpoint, .onnx or a network in memory, and writes `target` with its card.

    Args:
        model: what to convert; a training form is folded first.
        target: a .tflite; the card is `target` with the ending .json.
        recipe: a name of `conversion.RECIPES`.
        tile: (H, W) of the static input, low-resolution pixels; None for an .onnx file's own size, else 128 x 128.
        calibration: folder of photos that ranges are measured on, besides the built-in images; recipes that need photos are
            fitted to these alone and must have it.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.
        whole_image: a network that reads whole-image statistics gets them as an input (`conversion.graph.whole_image_inputs`),
            for the CPU engine of `upscale`. No difference for other networks.
        float_tensors: with recipe int8, how many tensors stay in float: those whose rounding hurts the picture most.
        npu_gelu: with recipe float16, GELU in parts, which Snapdragons' NPUs compute more exactly (docs/npu.md).

    Returns:
        The card.

    Raises:
        ConversionError: a broken contract, an unknown recipe, an option that the recipe does not know, or intermediates
            beyond half's range.

    Example:
        >>> import conversion, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     card = conversion.convert("lkdn-s-x4", f"{folder}/small.tflite", recipe="float16", tile=(32, 32))
        >>> card.scale, card.halo, card.recipe
        (4, 32, 'float16')
    """
    source, target = ModelSource.of(model), check_target(target)
    if tile is not None:
        _check_tile(tile)
    if source.kind == "onnx":
        _refuse_options(recipe_named(recipe), whole_image=whole_image, float_tensors=float_tensors)
        if npu_gelu:
            raise ConversionError("`npu_gelu`: only the network itself can be converted so, not an .onnx: leave it out")
        from conversion.onnx.route import convert_onnx

        return convert_onnx(source.label, target, recipe, tile, calibration, allow_overflow, card_beside).card
    converted = convert_network(source, recipe, tile or DEFAULT_TILE, calibration, whole_image, float_tensors, npu_gelu)
    return converted.save(target, allow_overflow, card_beside)


def convert_network(
    model: ModelLike,
    recipe: str = DEFAULT_RECIPE,
    tile: tuple[int, int] = DEFAULT_TILE,
    calibration: str | Path | None = None,
    whole_image: bool = False,
    float_tensors: int = 0,
    npu_gelu: bool = False,
) -> Converted:
    """`convert` without writing anything, for anything but an .onnx; arguments and errors are its.

    Example:
        >>> import conversion
        >>> conversion.convert_network("lkdn-s-x4", "float16", (32, 32)).card.tile
        (32, 32)
    """
    from conversion.graph.from_keras import graph_of
    from conversion.graph.gelu_parts import gelu_in_parts
    from conversion.graph.whole_image_inputs import has_statistics

    source, chosen = ModelSource.of(model), recipe_named(recipe)
    _check_tile(tile)
    if source.kind in ("tflite", "onnx"):
        raise ConversionError(f"{source.label}: converted already: give the network that it was made of")
    _refuse_options(chosen, whole_image=whole_image, float_tensors=float_tensors, npu_gelu=npu_gelu)
    deploy = source.deploy()
    graph = graph_of(deploy, *tile)
    if npu_gelu:
        graph = gelu_in_parts(graph)
    card = card_for(source, deploy, graph, chosen, tile)
    if whole_image and has_statistics(graph):
        return _whole_image(graph, card, chosen, tile)
    images = calibration_images(chosen, calibration, tile, deploy.scale)
    emitted = chosen.emit(graph, tile, images, float_tensors)
    contract = replace(chosen.contract, floats=True) if float_tensors else chosen.contract
    card = replace(card, float_tensors=float_tensors, npu_gelu=npu_gelu)
    return Converted(emitted.data, card, contract, images, emitted.noise, chosen.compact)


def _check_tile(tile: object) -> None:
    match tile:
        case (int(height), int(width)) if min(height, width) > 0:
            return
    raise ConversionError(f"tile={tile!r}: give height and width in pixels, as in tile=(64, 64)")


def _refuse_options(recipe: Recipe, **options: object) -> None:
    for name, value in options.items():
        if value and name not in recipe.takes:
            raise ConversionError(f"{name} {value}: recipe {recipe.name} does not know it: leave it out")


def _whole_image(graph: "Graph", card: Card, recipe: Recipe, tile: tuple[int, int]) -> Converted:
    from conversion.graph.exact_rewrites import rewritten
    from conversion.graph.to_keras import to_keras
    from conversion.graph.whole_image_inputs import epsilon_of, exact_sweeps, with_statistics_input
    from conversion.tflite.converter import to_tflite

    graph = rewritten(graph)
    data = to_tflite(to_keras(with_statistics_input(graph), *tile, taps=["moments"]), recipe.half_weights)
    exact = exact_sweeps(graph)
    statistics = {"epsilon": epsilon_of(graph).tolist(), "exact_sweeps": exact, "sweeps": min(SWEEPS, exact)}
    return Converted(data, replace(card, statistics=statistics), WHOLE_IMAGE, (), {}, compact=False)


def card_for(source: ModelSource, deploy: "SuperResolution", graph: "Graph", recipe: Recipe, tile: tuple[int, int]) -> Card:
    """The card of a file made of a network.

    Args:
        source: what the network was given as.
        deploy: its deploy form.
        graph: plain, of `deploy` at `tile`.
        recipe: of the file.
        tile: of the file.
    """
    from conversion.graph.from_keras import multi_adds

    return made_card(
        source.facts,
        tile,
        halo=deploy.halo,
        name=source.name,
        family=type(deploy).__name__,
        scale=deploy.scale,
        receptive_radius=deploy.receptive_radius,
        recipe=recipe.name,
        source=source.file_name,
        weights_sha256=source.sha256,
        parameters=deploy.count_params(),
        multi_adds=multi_adds(graph),
        tools=tool_versions(),
    )
