"""The recipes that quantize: what each does with a network and calibration photos, and the checks on what comes out."""

from pathlib import Path

import keras
import numpy as np

from conversion.graph.exact_rewrites import deploy_graph
from conversion.graph.half_range import within_half_range
from conversion.graph.ir import to_keras
from conversion.model_card import Card
from conversion.quantization.fake_quant import int8_tflite
from conversion.quantization.gptq import rounded
from conversion.quantization.int8 import CALIBRATION_TILE, CROPS, TRACED, int8_form, quantize
from conversion.quantization.int16x8 import int16x8_tflite
from conversion.quantization.photo_crops import low_resolution_crops
from conversion.quantization.weight_only import with_int8_weights
from conversion.tflite.converter import forbidden_operations, to_tflite
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.flatbuffer_dedup import with_shared_vectors
from conversion.tflite.output import write_card
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

QUANTIZED = ("dynamic_int8", "int8", "int16x8")


def calibration_images(folder: str | Path | None, recipe: str, scale: int) -> np.ndarray:
    """Low-resolution crops of a folder's photos, (N, 48, 48, 3) float32 in [0, 1].

    Raises:
        ConversionError: no folder was given.
        ImageError: the folder has no photo that is large enough.
    """
    if folder is None:
        raise ConversionError(f"--recipe {recipe} is fitted to photos: give a folder of some dozens with --calibration FOLDER")
    return low_resolution_crops(folder, CALIBRATION_TILE, scale, CROPS)


def quantized_bytes(
    deploy: keras.Model, recipe: str, tile: tuple[int, int], images: np.ndarray, float_tensors: int = 0
) -> tuple[bytes, dict[str, float]]:
    """The converted network, without metadata, and with "int8" each tensor's `rounding_noise` (else nothing).

    Args:
        deploy: a network in deploy form.
        recipe: one of `QUANTIZED`.
        tile: (H, W), low-resolution pixels.
        images: of `calibration_images`.
        float_tensors: with "int8", how many of the tensors that hurt most stay in float.

    Raises:
        ConversionError: the network holds an operation that has no such form, or the converter refuses it.
    """
    if recipe == "dynamic_int8":
        graph = within_half_range(deploy_graph(deploy, *tile), [image[None] for image in images[:TRACED]])
        return with_int8_weights(to_tflite(to_keras(rounded(graph, {}, images[:TRACED]), *tile), "float32")), {}
    if recipe == "int8":
        graph, ranges, noise = quantize(deploy, images, float_tensors)
        return int8_tflite(graph, ranges, *tile), noise
    graph = int8_form(deploy, images)
    return int16x8_tflite(rounded(graph, {}, images[:TRACED]), *tile, images), {}


def write_quantized(data: bytes, card: Card, target: Path, card_beside: bool = True) -> None:
    """Writes the file atomically, with its card inside and beside it and as few bytes as its format allows, and reads it back.

    Args:
        data: of `quantized_bytes`.
        card: of the file.
        target: the .tflite.
        card_beside: False leaves the .json out.

    Raises:
        ConversionError: an operation that must not be there, or a float tensor in a full-integer file.
    """
    with atomic_output(target) as temporary:
        temporary.write_bytes(with_shared_vectors(with_metadata(data, card.as_json())))
        file = read_tflite(temporary)
        bad = forbidden_operations(file)
        if bad:
            raise ConversionError(f"{target}: the converted graph holds {', '.join(bad)}: report the network")
        floats = [tensor.name for tensor in file.tensors if tensor.dtype.startswith("float")]
        if card.recipe == "int8" and floats:
            raise ConversionError(f"{target}: {len(floats)} tensors stayed in float, the first {floats[0]}: report the network")
    if card_beside:
        write_card(card, target)
