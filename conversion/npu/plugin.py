"""LiteRT's Qualcomm compiler plugin on one .tflite: what it takes, what it leaves and why, and the compiled file."""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conversion.npu.package import npu_package
from conversion.npu.socs import Soc
from conversion.tflite.file import TFLiteFile, read_tflite
from keras_models.system.errors import ConversionError
from keras_models.system.messages import last_words
from keras_models.system.processes import Task, call

TIME_LIMIT_S = 600.0
"""To compile a file for one SoC, which takes a network of this project 3 to 12 s on an idle core."""
PARTITION_LIMIT_S = 120.0

_TAKEN = re.compile(r"selected (\d+) ops, from a total of (\d+) ops\. resulted in (\d+) partitions")
_LEFT = re.compile(r"LiteRT Op #(\d+) '[^']*' \(code=\d+\) is not supported")
_REFUSED = re.compile(r"(could not create op: \S+|Unexpected SoC model: \S+)")


@dataclass(frozen=True)
class Taken:
    """What the compiler takes of a file.

    Attributes:
        taken: operations on the NPU.
        total: all of them.
        partitions: pieces that the NPU runs them in.
        left: the others, with their types: "36 DEPTHWISE_CONV_2D of int16".
    """

    taken: int
    total: int
    partitions: int
    left: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """All operations, in one piece."""
        return self.taken == self.total > 0 and self.partitions == 1

    def as_text(self) -> str:
        """How much, in how many pieces."""
        return f"{self.taken} of {self.total} operations in {self.partitions} piece{'' if self.partitions == 1 else 's'}"


def apply_plugin(path: Path, soc: Soc, target: Path, name: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Compiles a file for a SoC; gives the number of its operations, all of which the compiler took.

    Args:
        path: a .tflite.
        soc: for which.
        target: the compiled file; a failure may leave an empty one.
        name: what errors call the file.
        time_limit_s: seconds.

    Raises:
        ModelError: the extra `npu` is missing.
        ConversionError: the compiler leaves operations to the CPU, fails, or takes too long.
    """
    file = read_tflite(path)
    status, said = _run("apply", path, soc, target, name, time_limit_s)
    taken = _taken(said, file)
    if not soc.half and computes_floats(file) and (status or not taken.whole):
        raise ConversionError(f"{name}: the NPU of {soc.name} ({soc.sold_as}) computes no half precision: convert with `recipe` int8")
    if not taken.whole and taken.total:
        left = f"left to the CPU: {', '.join(taken.left) or 'nothing'}"
        pieces = f"{taken.as_text()} on the NPU of {soc.name}, {left}"
        raise ConversionError(f"{name}: {pieces}: NPUs take the recipe int8 whole: convert the network itself with `recipe` int8")
    if status or not taken.total:
        refused = _REFUSED.search(said)
        reason = refused[1] if refused else last_words(said) or f"status {status}"
        raise ConversionError(f"{name}: the compiler for {soc.name} fails ({reason}): try `recipe` int8 or a smaller tile")
    return taken.total


def partition(path: Path, soc: Soc, time_limit_s: float = PARTITION_LIMIT_S) -> Taken:
    """What the compiler says it would take of a file, in a second; errors are those of `apply_plugin`.

    A Hexagon V68 says so of float files, and refuses them when they are compiled.
    """
    file = read_tflite(path)
    with tempfile.TemporaryDirectory(prefix="mobile-sr-npu-") as folder:
        status, said = _run("partition", path, soc, Path(folder) / "parts.tflite", path, time_limit_s)
    taken = _taken(said, file)
    if status or not taken.total:
        raise ConversionError(f"{path}: the compiler for {soc.name} fails ({last_words(said) or f'status {status}'}): convert it again")
    return taken


def _run(work: Literal["apply", "partition"], path: Path, soc: Soc, target: Path, name: Path, time_limit_s: float) -> tuple[int, str]:
    """The status that the program ended with, and what it said."""
    package = npu_package()

    def failed(how: str) -> ConversionError:
        return ConversionError(f"{name}: the compiler for {soc.name}: {how}: try a smaller tile")

    with tempfile.TemporaryDirectory(prefix="mobile-sr-npu-") as stubs:
        command = [
            str(package.tool),
            f"--cmd={work}",
            f"--model={path}",
            f"--o={target}",
            "--soc_manufacturer=Qualcomm",
            f"--soc_model={soc.name}",
            f"--libs={package.plugin}",
            f"--qualcomm_qnn_lib_dir={package.libraries}",
            "--qualcomm_log_level=error",
            "--err=--",
        ]
        arguments = [command, package.environment(Path(stubs))]
        done = call(Task("conversion.npu.plugin_process:apply", arguments, time_limit_s, failed))
    return done["status"], done["said"]


def _taken(said: str, file: TFLiteFile) -> Taken:
    counts = [tuple(map(int, found)) for found in _TAKEN.findall(said)]
    taken, total, partitions = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
    numbers = dict.fromkeys(int(number) for number in _LEFT.findall(said))
    left = Counter(_described(file, number) for number in numbers if number < len(file.operations))
    return Taken(taken, total, partitions, tuple(f"{count} {name}" for name, count in left.most_common()))


def _described(file: TFLiteFile, number: int) -> str:
    operation = file.operations[number]
    types = dict.fromkeys(file.tensors[i].dtype for i in operation.inputs if i >= 0 and not file.tensors[i].constant)
    return f"{operation.name} of {', '.join(types) or 'constants'}"


def computes_floats(file: TFLiteFile) -> bool:
    """Whether any value of a file is computed in float."""
    return any(tensor.dtype.startswith("float") and not tensor.constant for tensor in file.tensors)
