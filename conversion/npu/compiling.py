"""Compiling a .tflite or .onnx for Snapdragons: one file a SoC beside the plain one, wholly for the NPU or not at all."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from conversion.npu.card import card_of
from conversion.npu.package import LICENCE, QAIRT
from conversion.npu.plugin import TIME_LIMIT_S
from conversion.npu.socs import Soc
from conversion.tflite.output import write_card
from keras_models.system.atomic_files import atomic_output, make_folder
from keras_models.system.digest import sha256_of

REPORT_VERSION = 1


@dataclass(frozen=True)
class CompiledFile:
    """One file for one SoC.

    Attributes:
        soc: its name.
        sold_as: the SoC's.
        file: path.
        size: bytes.
        operations: of the plain file; all of them are on the NPU, in one partition.
    """

    soc: str
    sold_as: str
    file: str
    size: int
    operations: int


@dataclass(frozen=True)
class Compilation:
    """What was written.

    Attributes:
        source: the plain file that was compiled.
        source_sha256: of it.
        plain: the plain file beside the compiled ones, for phones of other SoCs.
        files: the compiled ones.
        qairt: Qualcomm's version; a phone's own libraries must not be older.
        version: of this schema.
    """

    source: str
    source_sha256: str
    plain: str
    files: tuple[CompiledFile, ...]
    qairt: str = QAIRT
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """For people."""
        width = max(len(name) for name in (self.plain, *(file.file for file in self.files)))
        lines = [
            f"{file.file:{width}}  {file.soc} ({file.sold_as}): {file.operations} of {file.operations} operations on the NPU, "
            f"1 partition, {file.size:,} bytes"
            for file in self.files
        ]
        return "\n".join([f"{LICENCE}.", *lines, f"{self.plain:{width}}  the plain file, which phones of other SoCs need"])


def compile_file(
    path: str | Path, socs: Sequence[Soc], folder: str | Path | None = None, time_limit_s: float = TIME_LIMIT_S
) -> Compilation:
    """Compiles a file for every SoC, then writes NAME_SOC with the same ending and its card, and the plain file beside them.

    Args:
        path: a .tflite, or an .onnx of a fixed size, that is not compiled yet.
        socs: for which.
        folder: made if missing; None for the file's own.
        time_limit_s: seconds, for each SoC.

    Raises:
        ModelError: the extra `npu` is missing, or the file cannot be read.
        ConversionError: compiled already, or not wholly for one of the NPUs: nothing is written then.
        OutputError: a file cannot be written.
    """
    path, digest = Path(path), ""
    folder = path.parent if folder is None else Path(folder)
    with tempfile.TemporaryDirectory(prefix="mobile-sr-npu-") as name:
        made = []
        for soc in socs:
            compiled = Path(name) / f"{soc.name}{path.suffix}"
            operations = compile_for(path, soc, compiled, time_limit_s)
            made.append((soc, compiled, operations))
        digest = sha256_of(path)
        make_folder(folder)
        files = tuple(_written(path, folder, *one) for one in made)
    plain = folder / path.name
    if not (plain.exists() and plain.samefile(path)):
        with atomic_output(plain) as scratch:
            shutil.copyfile(path, scratch)
    return Compilation(str(path), digest, str(plain), files)


def compile_for(path: Path, soc: Soc, target: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Compiles one file for one SoC, its card inside; gives the number of its operations, all of which are on the NPU.

    Args:
        path: the plain file.
        soc: for which.
        target: the compiled file, in a folder of its own: a failure may leave an empty one.
        time_limit_s: seconds.

    Raises:
        ModelError, ConversionError: as `compile_file`.
    """
    if path.suffix.lower() == ".onnx":
        from conversion.npu.compile_onnx import compile_onnx

        return compile_onnx(path, soc, target, time_limit_s)
    from conversion.npu.compile_tflite import compile_tflite

    return compile_tflite(path, soc, target, time_limit_s)


def _written(path: Path, folder: Path, soc: Soc, compiled: Path, operations: int) -> CompiledFile:
    target = folder / f"{path.stem}_{soc.name}{path.suffix}"
    with atomic_output(target) as scratch:
        shutil.copyfile(compiled, scratch)
    write_card(card_of(compiled) or {}, target)
    return CompiledFile(soc.name, soc.sold_as, str(target), target.stat().st_size, operations)
