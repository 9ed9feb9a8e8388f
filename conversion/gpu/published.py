"""Which other engines take a .tflite whole, by the lists of operators that they publish: OpenGL, and two makers' NPU compilers.

A list says what is not taken. What is on it may still be refused for its types or shapes; only a run, or the maker's own compiler, tells.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from conversion.gpu.ops import check_gpu
from conversion.tflite.check import read_checked
from conversion.tflite.names import operation_name

OPENGL = "OpenGL"


@dataclass(frozen=True)
class Taker:
    """What an engine's list says of a file.

    Attributes:
        name: of the engine.
        left: what it does not take, each with how often; empty if it takes all.
        notes: what it computes otherwise.
        source: of the list, and when it was read.
    """

    name: str
    left: tuple[str, ...]
    notes: tuple[str, ...]
    source: str

    def as_text(self) -> str:
        """One line for people."""
        verdict = f"does not take {', '.join(self.left)}" if self.left else "takes all operations"
        return f"{self.name:<10} {'; '.join((verdict, *self.notes))} (published list of {self.source})"


def published_takers(path: str | Path) -> tuple[Taker, ...]:
    """Holds a file against every list.

    Raises:
        ModelError: not a readable .tflite.
    """
    _, model = read_checked(path)
    table = _table()
    return tuple(_taker(entry, model, table["read"], path) for entry in table["lists"])


def _taker(entry: dict[str, Any], model: Any, read: str, path: str | Path) -> Taker:
    left: Counter[str] = Counter()
    used = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = operation_name(model.operatorCodes[operator.opcodeIndex])
            used.add(name)
            if name not in entry["ops"]:
                left[name] += 1
            elif problem := _problem(entry, name, model, graph, operator):
                left[f"{name} {problem}"] += 1
    reasons = [f"{count} {name}" for name, count in left.items()]
    if entry["name"] == OPENGL and not left:  # it is behind the same front as OpenCL, which refuses for both
        reasons += check_gpu(path).reasons
    notes = tuple(f"{name} is {note}" for name, note in entry.get("notes", {}).items() if name in used)
    return Taker(entry["name"], tuple(reasons), notes, f"{entry['source']}, read {read}")


def _problem(entry: dict[str, Any], name: str, model: Any, graph: Any, operator: Any) -> str | None:
    rule = entry.get("rules", {}).get(name)
    try:
        return RULES[rule](model, graph, operator) if rule else None
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError):  # a damaged file: inputs of another operation
        return "with inputs of another operation"


def _over_height_and_width(model: Any, graph: Any, operator: Any) -> str | None:
    axes = model.buffers[graph.tensors[operator.inputs[1]].buffer].data
    rank = len(graph.tensors[operator.inputs[0]].shape)
    over = {int(axis) % rank for axis in np.asarray(axes, np.uint8).view(np.int32)}
    return None if over == {1, 2} else "not over height and width"


def _one_group(model: Any, graph: Any, operator: Any) -> str | None:
    channels, of_kernel = (int(graph.tensors[operator.inputs[i]].shape[-1]) for i in (0, 1))
    return None if channels == of_kernel else "in groups"


def _not_behind_1x1(model: Any, graph: Any, operator: Any) -> str | None:
    """The shader of a plain 1x1 convolution repeats what is fused to it, and these declare a constant: no compiler takes that."""
    makers = {int(tensor): op for op in graph.operators for tensor in op.outputs}
    while (operator := makers.get(int(operator.inputs[0]))) is not None:
        if operation_name(model.operatorCodes[operator.opcodeIndex]) == "CONV_2D":
            options, kernel = operator.builtinOptions, [int(side) for side in graph.tensors[operator.inputs[1]].shape[1:3]]
            steps = options.dilationHFactor, options.dilationWFactor, options.strideH, options.strideW
            return "behind a 1x1 convolution" if (*kernel, *steps) == (1,) * 6 else None
        if operation_name(model.operatorCodes[operator.opcodeIndex]) not in _FUSED:
            return None
    return None


# fmt: off
_FUSED = {
    "ABS", "ADD", "COS", "DIV", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL",
    "NEG", "POW", "RELU", "RELU6", "RELU_N1_TO_1", "SIN", "SQUARE", "SUB", "TANH",
}
# fmt: on
RULES: dict[str, Callable[[Any, Any, Any], str | None]] = {
    "over_height_and_width": _over_height_and_width,
    "one_group": _one_group,
    "not_behind_1x1": _not_behind_1x1,
}
"""What the lists' "rules" name: an operator to what is wrong with it."""


@functools.cache
def _table() -> dict[str, Any]:
    return json.loads((resources.files("conversion.gpu") / "published_lists.json").read_text())
