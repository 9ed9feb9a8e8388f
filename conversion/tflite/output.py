"""Writing a .tflite that keeps its contract, with its card inside and beside it; what breaks the contract is not written."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from conversion.model_card import Card
from conversion.recipes import Contract
from conversion.tflite.contract import check_contract
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.flatbuffer_dedup import with_shared_vectors
from conversion.tflite.half_range import HALF_MAX, measure_half_range
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError


def check_target(target: str | Path) -> Path:
    """The path of a .tflite to write.

    Raises:
        ConversionError: another ending.
    """
    if Path(target).suffix != ".tflite":
        raise ConversionError(f"{target}: the output must end in .tflite")
    return Path(target)


def write_tflite(
    data: bytes,
    target: Path,
    card: Card,
    contract: Contract,
    images: Sequence[np.ndarray] = (),
    allow_overflow: bool = False,
    card_beside: bool = True,
    compact: bool = False,
) -> Card:
    """Checks and writes a converted model: the one writer of every .tflite.

    Args:
        data: the .tflite, without the card.
        target: the file; the card is `target` with the ending .json.
        card: of the file; `half_max` is filled in here.
        contract: what the file is held to.
        images: (1, H, W, 3) float32 in [0, 1], what half precision's range is measured on; none: it is not measured.
        allow_overflow: write the file even if half precision overflows inside; the card says so.
        card_beside: False leaves the .json out.
        compact: store equal vectors of the file once.

    Returns:
        The card.

    Raises:
        ConversionError: a broken contract, or intermediates beyond half's range.
    """
    with atomic_output(target) as temporary:
        temporary.write_bytes(data)
        check_contract(read_tflite(temporary), contract, target)
        if images:
            measured = measure_half_range(temporary, images)
            if not measured.safe and not allow_overflow:
                raise ConversionError(
                    f"{target}: {len(measured.over)} intermediates leave half precision ({measured.tensor} reaches "
                    f"{measured.largest:.2g}, the limit is {HALF_MAX:.0f}), a phone GPU would give NaN: allow_overflow writes it for "
                    "CPU use only"
                )
            card = replace(card, half_max=float(f"{measured.largest:.4g}"))
        written = with_metadata(data, card.as_json())
        temporary.write_bytes(with_shared_vectors(written) if compact else written)
    if card_beside:
        write_card(card.as_json(), target)
    return card


def write_card(card: dict, target: Path) -> None:
    """Writes the card beside `target`, with the ending .json."""
    with atomic_output(target.with_suffix(".json")) as beside:
        beside.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
