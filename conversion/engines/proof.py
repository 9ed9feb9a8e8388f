"""A .tflite is opened and run in a process of its own first; what was learned there is all that the engines need to know.

LiteRT's C++ can crash on a file that is damaged in a way nobody foresaw, and parsing one in Python takes longer than opening
it: both happen once, over there. So does making the form in which the CPU engine runs an 8-bit file.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conversion.engines.base import DEFAULT_HALO
from conversion.engines.cpu_form import folder_of_forms, is_kept, make_form
from conversion.engines.facts import keep, place_of, recall
from conversion.tflite.file import TFLiteFile, read_tflite
from conversion.tflite.live_bytes import live_bytes_per_pixel
from keras_models.system.errors import MobileSRError, ModelError, one_line
from keras_models.system.sandbox import isolated

if TYPE_CHECKING:
    from conversion.engines.cpu import CpuEngine

PRELOADED = ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated", "conversion.engines.whole_image")
"""For `prove_here`, see `keras_models.system.sandbox`."""

_LARGEST_HALO = 4096
_LOOPS = {"WHILE", "CALL", "CALL_ONCE"}
PROOF_VERSION = 7
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
        eight_bits: it computes in integers of 8 bits.
        cpu_form: SHA-256 of the file that the CPU engine runs in its place (`engines.cpu_form`), None where it runs itself.
        slow: why an 8-bit file has no such form although it might, "" otherwise.
    """

    resizable: bool | None
    multiple: int
    bytes_per_pixel: float
    halo: int | None
    stride: int
    statistics: dict | None
    eight_bits: bool
    cpu_form: str | None
    slow: str


def prove(path: Path) -> Proof:
    """Has a file opened and run in a process of its own, unless this very file has been on this machine, by this runtime.

    Raises:
        ModelError: the file is damaged, crashes LiteRT there, or takes more than a minute or 2 GiB.
    """
    remembered = place_of(path, f"{PROOF_VERSION}-{version('ai-edge-litert')}")
    if (known := recall(remembered, Proof)) is not None and (known.cpu_form is None or is_kept(known.cpu_form)):
        return known
    facts = _there(path, lambda said: ModelError(f"{path}: LiteRT cannot run this file ({said}): convert it again, with builtin operators"))
    proof = Proof(**facts)
    if proof.eight_bits:
        proof = _with_cpu_form(path, proof)
    keep(remembered, proof)
    return proof


def _there(path: Path, failed: Callable[[str], ModelError], *more: Any) -> dict:
    return isolated("conversion.engines.proof:prove_here", [str(path), *more], failed, needed_here=True)


def _with_cpu_form(path: Path, proof: Proof) -> Proof:
    """In a process of its own too: what the file survived its form may not, and then the file itself is run."""
    try:
        return Proof(**_there(path, lambda said: ModelError(f"{path}: {said}"), asdict(proof), str(folder_of_forms())))
    except MobileSRError as error:
        return replace(proof, slow=f"runs slower than it could, its form for CPUs cannot be made: {one_line(error)}")


def prove_here(path: str, proven: dict | None = None, folder: str = "") -> dict:
    """What `prove` has done there: the file is opened as an engine and given a small picture of noise.

    Args:
        path: of the file.
        proven: what that gave, an earlier time; then the file's form for CPUs is made.
        folder: where that is kept.

    Raises:
        ModelError: as `conversion.engines.whole_image.open_engine`.
    """
    if proven is not None:
        proof = Proof(**proven)
        form = make_form(Path(path), lambda file: _of_noise(file, proof)[1], Path(folder))
        if form is None:
            return proven
        return proven | {"cpu_form": form.stem, "bytes_per_pixel": _needs(read_tflite(form), _of_noise(form, proof)[0])}
    file = read_tflite(path)
    if loops := _LOOPS & file.kinds:
        raise ModelError(f"{path}: {min(loops)} is control flow, which may run for ever: convert a network without loops")
    proof = _read(file)
    engine, _ = _of_noise(Path(path), proof)
    measured = {"resizable": engine.resizable, "multiple": engine.multiple, "bytes_per_pixel": _needs(file, engine)}
    return asdict(proof) | measured


def _needs(file: TFLiteFile, engine: "CpuEngine") -> float:
    """Bytes for each pixel of a window: by the shapes in the file, which may be anything, and by those that it had when it ran.

    What XNNPACK keeps to itself has the file's shapes even then; such tensors are of no size the second time. LiteRT's own
    scratch tensors come after the file's.
    """
    needed = live_bytes_per_pixel(file)
    if not engine.resizable:
        return needed
    shapes, source = engine.shapes(), file.inputs[0]
    ran = [shapes[index] if index == source or shapes[index] != tensor.shape else (0,) for index, tensor in enumerate(file.tensors)]
    tensors = tuple(replace(tensor, shape=shape) for tensor, shape in zip(file.tensors, ran, strict=True))
    return max(needed, live_bytes_per_pixel(replace(file, tensors=tensors)))


def _of_noise(path: Path, proof: Proof) -> "tuple[CpuEngine, np.ndarray]":
    """A file's engine, and what it makes of a small picture of noise."""
    from conversion.engines.whole_image import WholeImageEngine, engine_of

    engine = engine_of(path, 1, proof)
    block = -(-8 // engine.multiple) * engine.multiple
    size = (3 * block, 2 * block) if engine.resizable else engine.tile
    noise = np.random.default_rng(0).random((*size, engine.channels), np.float32)
    if isinstance(engine, WholeImageEngine):
        engine.settle(lambda: [(noise, (slice(None), slice(None)))], 1)
    return engine, engine.infer(noise)


def _read(file: TFLiteFile) -> Proof:
    if file.compiled:
        raise ModelError(f"{file.path}: compiled for an NPU, which alone can run it: give the plain file that lies beside it")
    card = file.card or {}
    statistics = card.get("statistics")
    takes_statistics = "statistics" in card and len(file.inputs) > 1
    if takes_statistics and not (isinstance(statistics, dict) and _valid_statistics(statistics)):
        raise ModelError(f"{file.path}: takes statistics, but its card does not say how they are made: convert the model again")
    halo, stride = declared_view(card)
    computed = {tensor.dtype for tensor in file.tensors if not tensor.constant}
    eight_bits = bool(computed & {"int8", "uint8"})
    return Proof(None, 1, live_bytes_per_pixel(file), halo, stride, statistics if takes_statistics else None, eight_bits, None, "")


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
