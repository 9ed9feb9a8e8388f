"""Would a Snapdragon's NPU take a .tflite whole? Qualcomm's compiler says so in a second, where the extra `npu` is installed."""

from dataclasses import dataclass
from pathlib import Path

from conversion.npu.package import QAIRT, why_absent
from conversion.npu.plugin import computes_floats, partition
from conversion.npu.socs import DEFAULT_SOC, SOCS
from conversion.tflite.file import read_tflite
from keras_models.system.errors import ConversionError


@dataclass(frozen=True)
class NpuSupport:
    """The compiler's verdict on a file.

    Attributes:
        whole: all operations run on the NPU, in one piece; None if nothing here can tell.
        reasons: what is left, or why nothing can tell; empty if it is whole.
        by: what says so.
    """

    whole: bool | None
    reasons: tuple[str, ...]
    by: str

    def as_text(self) -> str:
        """One line."""
        verdict = {True: "whole", False: "NOT whole", None: "not known"}[self.whole]
        return f"{verdict} by {self.by}" + (f": {'; '.join(self.reasons)}" if self.reasons else "")


def npu_support(path: str | Path) -> NpuSupport:
    """What Qualcomm's compiler says of a file; that nothing is known, and why, where it is not installed.

    Raises:
        ModelError: not a readable .tflite.
    """
    absent = why_absent()
    return _by_compiler(Path(path)) if absent is None else NpuSupport(None, (absent,), "Qualcomm's compiler")


def _by_compiler(path: Path) -> NpuSupport:
    soc, by = SOCS[DEFAULT_SOC], f"Qualcomm's compiler, QAIRT {QAIRT}, for {DEFAULT_SOC}"
    try:
        taken = partition(path, soc)
    except ConversionError as error:
        return NpuSupport(False, (str(error).removeprefix(f"{path}: "),), by)
    if taken.whole and computes_floats(read_tflite(path)):
        by += " and others with half precision"
    reasons = () if taken.whole else (f"{taken.as_text()}, left: {', '.join(taken.left) or 'nothing'}",)
    return NpuSupport(taken.whole, reasons, by)
