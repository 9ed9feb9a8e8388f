"""An 8-bit .tflite in the form that XNNPACK takes whole, as a file: for CPUs, where the plain file is for NPUs."""

import json
from dataclasses import dataclass
from pathlib import Path

from conversion.engines.cpu_form import place_of_form
from conversion.engines.proof import prove
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.flatbuffer_dedup import with_shared_vectors
from conversion.tflite.output import check_target
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

FORM = "cpu"
"""What the card of such a file says of its form."""


@dataclass(frozen=True)
class ForCpu:
    """A file that was rewritten.

    Attributes:
        target: where it stands.
        size: bytes.
        before: pieces in which XNNPACK runs the plain file, what it leaves counting as one more.
        after: pieces in which it runs this one.
    """

    target: Path
    size: int
    before: int
    after: int

    def as_text(self) -> str:
        """One line for people."""
        return f"{self.target}: for CPUs, {self.size:,} bytes, {self.after} XNNPACK partitions instead of {self.before}, the same numbers"


def write_for_cpu(source: Path, target: str | Path) -> ForCpu:
    """Writes an 8-bit file's form for CPUs, with its card, if it has one, inside and beside it.

    Args:
        source: any 8-bit .tflite of super-resolution; it computes the same numbers in both forms, which is proven first
            (`conversion.tflite.cpu_form`).
        target: a .tflite.

    Raises:
        ModelError: the file cannot be run.
        ConversionError: there is no better form of it, or the form could not be proven.
    """
    target, proof = check_target(target), prove(source)
    if proof.slow:
        raise ConversionError(f"{source}: {proof.slow}")
    if proof.cpu_form is None:
        kind = "XNNPACK takes all of it that it can" if proof.eight_bits else "it does not compute in 8 bits"
        raise ConversionError(f"{source}: there is no form of it for CPUs that is faster, {kind}: use it as it is")
    data, card = place_of_form(proof.cpu_form).read_bytes(), read_tflite(source).card
    if card is not None:
        card = {**card, "form": FORM}
        data = with_shared_vectors(with_metadata(data, card))
    with atomic_output(target) as scratch:
        scratch.write_bytes(data)
    if card is not None:
        with atomic_output(target.with_suffix(".json")) as beside:
            beside.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    return ForCpu(target, len(data), cpu_partitions(source), cpu_partitions(target))
