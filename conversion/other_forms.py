"""A .tflite of the same numbers in another form, as a file: an int8 file for CPUs, any file for NPUs without DEPTH_TO_SPACE."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from conversion.engines.cpu_form import place_of_form
from conversion.engines.proof import prove
from conversion.engines.whole_image import open_engine
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.flatbuffer_dedup import with_shared_vectors
from conversion.tflite.output import check_target, write_card
from conversion.tflite.partitions import cpu_partitions
from conversion.tflite.shuffle_form import without_depth_to_space
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

MadeFor = Literal["cpu", "npu"]


@dataclass(frozen=True)
class OtherForm:
    """A file that was rewritten.

    Attributes:
        target: where it stands.
        made_for: what for.
        size: bytes.
        before: pieces in which XNNPACK runs the plain file, what it leaves counting as one more.
        after: pieces in which it runs this one.
    """

    target: Path
    made_for: MadeFor
    size: int
    before: int
    after: int

    def as_text(self) -> str:
        """One line for people."""
        pieces = f"{self.after} XNNPACK partition{'s' if self.after > 1 else ''} instead of {self.before}"
        what = pieces if self.made_for == "cpu" else "TRANSPOSE_CONV instead of DEPTH_TO_SPACE, of this size alone"
        return f"{self.target}: for {self.made_for.upper()}s, {self.size:,} bytes, {what}, the same numbers"


def write_form(source: Path, target: str | Path, made_for: MadeFor) -> OtherForm:
    """Writes another form of a file, with its card, if it has one, inside and beside it.

    Args:
        source: a .tflite of super-resolution; for CPUs one of 8 bits. That the form computes the same numbers is proven first.
        target: a .tflite.
        made_for: "cpu": what XNNPACK refuses in integers is in a form that it takes (`conversion.tflite.cpu_form`). "npu": without
            DEPTH_TO_SPACE (`conversion.tflite.shuffle_form`).

    Raises:
        ModelError: the file cannot be run.
        ConversionError: there is no such form of it, or the form could not be proven.
    """
    target = check_target(target)
    data = _for_cpu(source) if made_for == "cpu" else without_depth_to_space(source.read_bytes(), str(source))
    card = read_tflite(source).card
    if card is not None:
        card = {**card, "form": made_for}
        data = with_shared_vectors(with_metadata(data, card))
    with atomic_output(target) as scratch:
        scratch.write_bytes(data)
        if not np.array_equal(_of_noise(source), _of_noise(scratch)):
            raise ConversionError(f"{source}: its form for {made_for.upper()}s gives other numbers: use it as it is")
    if card is not None:
        write_card(card, target)
    return OtherForm(target, made_for, len(data), cpu_partitions(source), cpu_partitions(target))


def _for_cpu(source: Path) -> bytes:
    proof = prove(source)
    if proof.slow:
        raise ConversionError(f"{source}: {proof.slow}")
    if proof.cpu_form is None:
        kind = "XNNPACK takes all of it that it can" if proof.eight_bits else "it does not compute in 8 bits"
        raise ConversionError(f"{source}: there is no form of it for CPUs that is faster, {kind}: use it as it is")
    return place_of_form(proof.cpu_form).read_bytes()


def _of_noise(file: Path) -> np.ndarray:
    engine = open_engine(file, 1)
    return engine.infer(np.random.default_rng(0).random((*engine.tile, engine.channels), np.float32))
