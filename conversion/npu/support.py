"""Would phones' NPUs take a .tflite whole? By a maker's compiler where it stands here, else by the maker's published list."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conversion.npu.package import QAIRT, why_absent
from conversion.npu.plugin import partition
from conversion.npu.socs import DEFAULT_SOC, SOCS
from keras_models.system.errors import ConversionError


@dataclass(frozen=True)
class NpuSupport:
    """One maker's verdict on a file.

    Attributes:
        maker: Qualcomm, MediaTek ...
        whole: all operations run on its NPU, in one piece; None if nothing here can tell.
        reasons: what is left, or why nothing can tell; empty if it is whole.
        by: what says so.
    """

    maker: str
    whole: bool | None
    reasons: tuple[str, ...]
    by: str

    def as_text(self) -> str:
        """One line."""
        verdict = {True: "whole", False: "NOT whole", None: "not known"}[self.whole]
        return f"{self.maker}: {verdict} by {self.by}" + (f": {'; '.join(self.reasons)}" if self.reasons else "")


PUBLISHED: dict[str, Callable[[Path], NpuSupport]] = {}
"""Maker -> the verdict of its published list of operations, which needs nothing installed."""


def npu_support(path: str | Path) -> tuple[NpuSupport, ...]:
    """The verdict of every maker.

    Raises:
        ModelError: not a readable .tflite.
    """
    path, absent = Path(path), why_absent()
    if absent is None:
        found = {"Qualcomm": _by_compiler(path)}
    elif "Qualcomm" in PUBLISHED:
        found = {}
    else:
        found = {"Qualcomm": NpuSupport("Qualcomm", None, (absent,), "its compiler")}
    return tuple({**{maker: judge(path) for maker, judge in PUBLISHED.items()}, **found}.values())


def _by_compiler(path: Path) -> NpuSupport:
    soc, by = SOCS[DEFAULT_SOC], f"its compiler, QAIRT {QAIRT}, for {DEFAULT_SOC}"
    try:
        taken = partition(path, soc)
    except ConversionError as error:
        return NpuSupport("Qualcomm", False, (str(error).removeprefix(f"{path}: "),), by)
    reasons = () if taken.whole else (f"{taken.taken} of {taken.total} operations in {taken.partitions} pieces", *taken.left)
    return NpuSupport("Qualcomm", taken.whole, reasons, by)
