"""A .tflite is opened and run in a process of its own first; what was learned there is all that the engines need to know.

LiteRT's C++ can crash on a file that is damaged in a way nobody foresaw, and parsing one in Python takes longer than opening
it: both happen once, over there.
"""

import contextlib
import json
import threading
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from conversion.engines.base import DEFAULT_HALO
from conversion.tflite.file import TFLiteFile, read_tflite
from conversion.tflite.live_bytes import live_bytes_per_pixel
from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import MobileSRError, ModelError
from keras_models.system.sandbox import isolated

PRELOADED = ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated", "conversion.engines.whole_image")
"""For `prove_here`, see `keras_models.system.sandbox`."""

_LARGEST_HALO = 4096
PROOF_VERSION = 1
"""Goes up whenever what is checked or learned changes, so that every file is proven anew."""


@dataclass(frozen=True)
class Proof:
    """What is known of a file that has run.

    Attributes:
        resizable: it runs at any window size; None: not tried yet.
        bytes_per_pixel: what its intermediates need, a pixel of the window.
        halo: what its card declares, None for a foreign file.
        statistics: its card's word on whole-image statistics, None for a file that takes none.
    """

    resizable: bool | None
    bytes_per_pixel: float
    halo: int | None
    statistics: dict | None


def prove(path: Path) -> Proof:
    """Has a file opened and run in a process of its own, unless this very file has been on this machine, by this runtime.

    Raises:
        ModelError: the file is damaged, crashes LiteRT there, or takes more than a minute or 2 GiB.
    """
    remembered = _remembered(path)
    if remembered is not None and (known := _recall(remembered)) is not None:
        return known
    # LiteRT's Python takes as long to import as the file to prove: both at the same time.
    threading.Thread(target=import_module, args=("ai_edge_litert.interpreter",), daemon=True).start()
    facts = isolated(
        "conversion.engines.proof:prove_here",
        [str(path)],
        lambda said: ModelError(f"{path}: LiteRT cannot run this file ({said}): convert it again, with builtin operators"),
    )
    proof = Proof(**facts)
    if remembered is not None:
        with contextlib.suppress(OSError, MobileSRError), atomic_output(remembered) as scratch:  # a cache that cannot be written is none
            scratch.write_text(json.dumps(asdict(proof)))
    return proof


def _remembered(path: Path) -> Path | None:
    """Where the proof of a file's content by this runtime is kept; None if the file or the cache cannot be used."""
    try:
        if path.stat().st_size > MAX_BYTES:  # it is refused there, and hashing it would take minutes
            return None
        folder = cache_folder() / "proven"
        make_folder(folder)
        return folder / f"{sha256_of(path)}-{PROOF_VERSION}-{version('ai-edge-litert')}.json"
    except (OSError, MobileSRError):
        return None


def _recall(place: Path) -> Proof | None:
    try:
        return Proof(**json.loads(place.read_bytes()))
    except (OSError, ValueError, TypeError):  # none yet, or one that something spoilt
        return None


def prove_here(path: str) -> dict:
    """What `prove` has done there: the file is opened as an engine and given a small picture of noise.

    Raises:
        ModelError: as `conversion.engines.whole_image.open_engine`.
    """
    from conversion.engines.whole_image import WholeImageEngine, engine_of

    proof = _read(read_tflite(path))
    engine = engine_of(path, 1, proof)
    noise = np.random.default_rng(0).random((*((24, 17) if engine.resizable else engine.tile), 3), np.float32)
    if isinstance(engine, WholeImageEngine):
        engine.settle(lambda: [(noise, (slice(None), slice(None)))], 1)
    engine.run(noise)
    return asdict(proof) | {"resizable": engine.resizable}


def _read(file: TFLiteFile) -> Proof:
    card = file.card or {}
    statistics = card.get("statistics")
    takes_statistics = "statistics" in card and len(file.inputs) > 1
    if takes_statistics and not (isinstance(statistics, dict) and _valid_statistics(statistics)):
        raise ModelError(f"{file.path}: takes statistics, but its card does not say how they are made: convert the model again")
    return Proof(None, live_bytes_per_pixel(file), declared_halo(card), statistics if takes_statistics else None)


def declared_halo(card: dict) -> int | None:
    """The halo that a card declares, low-resolution pixels; None if it says nothing of use (a foreign one may say anything)."""
    halo, version = card.get("halo"), card.get("version")
    if type(halo) is not int or not 0 <= halo <= _LARGEST_HALO:
        return None
    return halo if version != 1 else max(halo, DEFAULT_HALO)  # version 1 cut it to a quarter of the file's tile


def _valid_statistics(facts: dict) -> bool:
    """Whether a card's statistics are of the right kind: a foreign one may say anything."""
    epsilon, passes = facts.get("epsilon"), (facts.get("sweeps"), facts.get("exact_sweeps"))
    numbers = isinstance(epsilon, list) and all(type(value) in (int, float) and 0 <= value < 1e6 for value in epsilon)
    return bool(epsilon) and numbers and all(type(count) is int and 0 <= count <= 100 for count in passes)
