"""A .tflite is opened and run in a process of its own first; what was learned there is all that the engines need to know.

LiteRT's C++ can crash on a file that is damaged in a way nobody foresaw, and parsing one in Python takes longer than opening
it: both happen once, over there.
"""

import threading
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from conversion.engines.base import DEFAULT_HALO
from conversion.engines.facts import keep, place_of, recall
from conversion.tflite.file import TFLiteFile, read_tflite
from conversion.tflite.live_bytes import live_bytes_per_pixel
from keras_models.system.errors import ModelError
from keras_models.system.sandbox import isolated

PRELOADED = ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated", "conversion.engines.whole_image")
"""For `prove_here`, see `keras_models.system.sandbox`."""

_LARGEST_HALO = 4096
PROOF_VERSION = 3
"""Goes up whenever what is checked or learned changes, so that every file is proven anew."""


@dataclass(frozen=True)
class Proof:
    """What is known of a file that has run.

    Attributes:
        resizable: it runs at windows of other sizes than its own; None: not tried yet.
        multiple: what the sides of these must be multiples of.
        bytes_per_pixel: what its intermediates need, a pixel of the window.
        halo: what its card declares, None for a foreign file.
        stride: what its card declares.
        statistics: its card's word on whole-image statistics, None for a file that takes none.
    """

    resizable: bool | None
    multiple: int
    bytes_per_pixel: float
    halo: int | None
    stride: int
    statistics: dict | None


def prove(path: Path) -> Proof:
    """Has a file opened and run in a process of its own, unless this very file has been on this machine, by this runtime.

    Raises:
        ModelError: the file is damaged, crashes LiteRT there, or takes more than a minute or 2 GiB.
    """
    remembered = place_of(path, f"{PROOF_VERSION}-{version('ai-edge-litert')}")
    if (known := recall(remembered, Proof)) is not None:
        return known
    # LiteRT's Python takes as long to import as the file to prove: both at the same time.
    threading.Thread(target=import_module, args=("ai_edge_litert.interpreter",), daemon=True).start()
    facts = isolated(
        "conversion.engines.proof:prove_here",
        [str(path)],
        lambda said: ModelError(f"{path}: LiteRT cannot run this file ({said}): convert it again, with builtin operators"),
    )
    proof = Proof(**facts)
    keep(remembered, proof)
    return proof


def prove_here(path: str) -> dict:
    """What `prove` has done there: the file is opened as an engine and given a small picture of noise.

    Raises:
        ModelError: as `conversion.engines.whole_image.open_engine`.
    """
    from conversion.engines.whole_image import WholeImageEngine, engine_of

    proof = _read(read_tflite(path))
    engine = engine_of(path, 1, proof)
    block = -(-8 // engine.multiple) * engine.multiple
    size = (3 * block, 2 * block) if engine.resizable else engine.tile
    noise = np.random.default_rng(0).random((*size, engine.channels), np.float32)
    if isinstance(engine, WholeImageEngine):
        engine.settle(lambda: [(noise, (slice(None), slice(None)))], 1)
    engine.infer(noise)
    return asdict(proof) | {"resizable": engine.resizable, "multiple": engine.multiple}


def _read(file: TFLiteFile) -> Proof:
    if file.compiled:
        raise ModelError(f"{file.path}: compiled for an NPU, which alone can run it: give the plain file that lies beside it")
    card = file.card or {}
    statistics = card.get("statistics")
    takes_statistics = "statistics" in card and len(file.inputs) > 1
    if takes_statistics and not (isinstance(statistics, dict) and _valid_statistics(statistics)):
        raise ModelError(f"{file.path}: takes statistics, but its card does not say how they are made: convert the model again")
    halo, stride = declared_view(card)
    return Proof(None, 1, live_bytes_per_pixel(file), halo, stride, statistics if takes_statistics else None)


def declared_view(card: dict) -> tuple[int | None, int]:
    """The halo and the stride that a card declares, low-resolution pixels; (None, 1) if it is to be measured.

    A foreign card may say anything. One without a stride is believed if it is of a network of this project, all of which
    have none: for other networks earlier versions declared a halo without looking at more.
    """
    halo, stride, version = card.get("halo"), card.get("stride"), card.get("version")
    if stride is None and isinstance(card.get("family"), str) and card["family"] != "unknown":
        stride = 1
    if type(halo) is not int or not 0 <= halo <= _LARGEST_HALO or type(stride) is not int or not 1 <= stride <= _LARGEST_HALO:
        return None, 1
    return (halo if version != 1 else max(halo, DEFAULT_HALO)), stride  # version 1 cut it to a quarter of the file's tile


def _valid_statistics(facts: dict) -> bool:
    """Whether a card's statistics are of the right kind: a foreign one may say anything."""
    epsilon, passes = facts.get("epsilon"), (facts.get("sweeps"), facts.get("exact_sweeps"))
    numbers = isinstance(epsilon, list) and all(type(value) in (int, float) and 0 <= value < 1e6 for value in epsilon)
    return bool(epsilon) and numbers and all(type(count) is int and 0 <= count <= 100 for count in passes)
