"""The recipes: what a conversion does with a network's weights and arithmetic, as data. `RECIPES` is what everything iterates over.

A new recipe is one entry of `RECIPES`: `convert`, `verify`, `recipes`, `report` and the help text then know it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_models.system.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np

    from conversion.graph.ir import Graph


@dataclass(frozen=True)
class Contract:
    """What a converted file is held to, besides builtin operations, static shapes and rank 4.

    Attributes:
        floats: float tensors may stand in it.
        one_partition: XNNPACK takes it whole.
        half_range: its intermediates are measured, and must fit half precision.
        low_rank: no tensor has more than four axes, the most that phones' GPUs take.
    """

    floats: bool = True
    one_partition: bool = True
    half_range: bool = True
    low_rank: bool = True


@dataclass(frozen=True)
class Emitted:
    """A converted network.

    Attributes:
        data: the .tflite, without its card.
        noise: each tensor's rounding error as it reaches the output, mean square ({} where nothing is rounded so).
    """

    data: bytes
    noise: dict[str, float]


Emit = Callable[["Graph", tuple[int, int], "Sequence[np.ndarray]", int], Emitted]
"""(plain graph of the deploy form, (H, W) of the tile, images (1, h, w, 3) in [0, 1], tensors left in float) -> the file."""


@dataclass(frozen=True)
class Recipe:
    """One way to convert.

    Attributes:
        name: as on the command line and in the card.
        help: one sentence.
        emit: form, rounding and emission.
        needs_photos: it is fitted to photos, and to nothing else.
        contract: what its files are held to.
        max_error: largest difference to the network that a file may have, outputs in [0, 1]; None: `psnr` judges.
        rounding: share of each of an image's values by which it may move; a network whose
            result moves by more than `max_error` then may differ by as much.
        psnr: dB to the network on photograph-like images that a file must have; None: `max_error` judges.
        onnx_error: largest difference of a converted foreign .onnx; None: `psnr` judges.
        converts_onnx: foreign files can be converted so.
        half_weights: its weights are stored in half precision.
        compact: equal vectors of the file are stored once.
        takes: the options of `convert` that only some recipes know.

    Example:
        >>> from conversion import RECIPES
        >>> [name for name, recipe in RECIPES.items() if recipe.needs_photos]
        ['weight_only_int8', 'int8', 'int16x8']
    """

    name: str
    help: str
    emit: Emit
    needs_photos: bool = False
    contract: Contract = Contract()
    max_error: float | None = None
    rounding: float = 0.0
    psnr: float | None = None
    onnx_error: float | None = None
    converts_onnx: bool = False
    half_weights: bool = False
    compact: bool = False
    takes: frozenset[str] = frozenset()


def _float(wide: bool, half_weights: bool) -> Emit:
    def emit(graph: "Graph", tile: tuple[int, int], images: "Sequence[np.ndarray]", in_float: int) -> Emitted:
        from conversion.graph.any_gpu import for_any_gpu
        from conversion.graph.avx512 import for_wide_vectors
        from conversion.graph.exact_rewrites import rewritten
        from conversion.graph.half_range import within_half_range
        from conversion.graph.to_keras import to_keras
        from conversion.tflite.converter import to_tflite

        safe = within_half_range(rewritten(graph), images)
        return Emitted(to_tflite(to_keras(for_wide_vectors(safe) if wide else for_any_gpu(safe), *tile), half_weights), {})

    return emit


def _weight_only_int8(graph: "Graph", tile: tuple[int, int], images: "Sequence[np.ndarray]", in_float: int) -> Emitted:
    import numpy as np

    from conversion.graph.exact_rewrites import rewritten
    from conversion.graph.half_range import within_half_range
    from conversion.graph.to_keras import to_keras
    from conversion.quantization.gptq import rounded
    from conversion.quantization.int8 import TRACED
    from conversion.quantization.weight_only import with_int8_weights
    from conversion.tflite.converter import to_tflite

    traced = np.concatenate(images[:TRACED])
    safe = within_half_range(rewritten(graph), images[:TRACED])
    return Emitted(with_int8_weights(to_tflite(to_keras(rounded(safe, {}, traced), *tile))), {})


def _int8(graph: "Graph", tile: tuple[int, int], images: "Sequence[np.ndarray]", in_float: int) -> Emitted:
    import numpy as np

    from conversion.quantization.fake_quant import int8_tflite
    from conversion.quantization.int8 import quantize

    quantized, ranges, noise = quantize(graph, np.concatenate(images), in_float)
    return Emitted(int8_tflite(quantized, ranges, *tile), noise)


def _int16x8(graph: "Graph", tile: tuple[int, int], images: "Sequence[np.ndarray]", in_float: int) -> Emitted:
    import numpy as np

    from conversion.quantization.gptq import rounded
    from conversion.quantization.int8 import TRACED, int8_form
    from conversion.quantization.int16x8 import int16x8_tflite

    pixels = np.concatenate(images)
    form = int8_form(graph, pixels)
    return Emitted(int16x8_tflite(rounded(form, {}, pixels[:TRACED]), *tile, pixels), {})


_INTEGER_PSNR = 32.0  # dB; files of this project have 34 to 38, the converter's own quantization of the same networks 29 to 30

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "float32",
            "Float weights and arithmetic, shaped for computers' wide vectors.",
            _float(wide=True, half_weights=False),
            max_error=2e-5,
            rounding=2.0**-19,  # sixteen steps; SPAN's files differ by five at most, LKDN's by one
            onnx_error=1e-4,
            converts_onnx=True,
            takes=frozenset({"whole_image", "allow_overflow"}),
        ),
        Recipe(
            "float16",
            "Half-precision weights, which halve the file; for phones' GPUs.",
            _float(wide=False, half_weights=True),
            max_error=2e-2,  # weights of 11 bits; one pixel in millions may move by a grey level or two
            rounding=2.0**-10,  # one step
            onnx_error=2e-2,
            converts_onnx=True,
            half_weights=True,
            takes=frozenset({"whole_image", "allow_overflow", "npu_gelu"}),
        ),
        Recipe(
            "weight_only_int8",
            "8-bit weights, float arithmetic: a third of the bytes at float's quality.",
            _weight_only_int8,
            needs_photos=True,
            contract=Contract(one_partition=False, half_range=False),
            psnr=_INTEGER_PSNR,
            compact=True,
        ),
        Recipe(
            "int8",
            "8-bit weights and arithmetic, every operation an integer one; for NPUs and slow CPUs.",
            _int8,
            needs_photos=True,
            contract=Contract(floats=False, one_partition=False, half_range=False),
            psnr=_INTEGER_PSNR,
            converts_onnx=True,
            compact=True,
            takes=frozenset({"float_tensors"}),
        ),
        Recipe(
            "int16x8",
            "8-bit weights, 16-bit arithmetic: nearly float's quality, for the few NPUs that have it.",
            _int16x8,
            needs_photos=True,
            contract=Contract(one_partition=False, half_range=False),
            psnr=_INTEGER_PSNR,
            compact=True,
        ),
    )
}

ONNX_RECIPES = {
    "w8a16": "Of an .onnx: 8-bit weights, unsigned 16-bit arithmetic, nearly float's quality on Snapdragons' NPUs (docs/npu.md)."
}
"""Ways to write a network as a quantized .onnx, with what they are."""

ALIASES = {"dynamic_int8": "weight_only_int8"}
"""Words of earlier versions."""

DEFAULT_RECIPE = "float32"


def recipe_named(name: str) -> Recipe:
    """A recipe by its name, or by one that it had in an earlier version.

    Raises:
        ConversionError: no such recipe; it lists them.

    Example:
        >>> from conversion.recipes import recipe_named
        >>> recipe_named("dynamic_int8").name
        'weight_only_int8'
    """
    recipe = RECIPES.get(ALIASES.get(name, name))
    if recipe is None and name in ONNX_RECIPES:
        raise ConversionError(f"{name} is a recipe of .onnx files: give an output that ends in .onnx, or one of {', '.join(RECIPES)}")
    if recipe is None:
        raise ConversionError(f"{name}: no such recipe: give one of {', '.join(RECIPES)}")
    return recipe


def calibration_images(recipe: Recipe, folder: str | Path | None, tile: tuple[int, int], scale: int) -> "list[np.ndarray]":
    """What a recipe measures ranges on, or is fitted to: (1, h, w, 3) float32 in [0, 1].

    Args:
        recipe: one that needs photos gets low-resolution crops of the folder's alone, another built-in images and its crops.
        folder: of photos, or None.
        tile: (H, W) of the file, low-resolution pixels.
        scale: of the network.

    Raises:
        ConversionError: the recipe needs photos and no folder was given.
        ImageError: the folder has no photo that is large enough.
    """
    from conversion.calibration_images import photo_crops, synthetic_images

    if not recipe.needs_photos:
        return synthetic_images(*tile) + (photo_crops(folder, *tile) if folder is not None else [])
    if folder is None:
        raise ConversionError(f"recipe {recipe.name} is fitted to photos: give a folder of some dozens as calibration")
    from conversion.quantization.int8 import CALIBRATION_TILE, CROPS
    from conversion.quantization.photo_crops import low_resolution_crops

    return [crop[None] for crop in low_resolution_crops(folder, CALIBRATION_TILE, scale, CROPS)]
