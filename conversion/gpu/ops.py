"""Would a phone's GPU take this .tflite whole? Checked against a table of operators, without running anything.

The table (ops.json) was read from the GPU delegate's sources and corrected where LiteRT's engine did otherwise when it ran;
tests/conversion/gpu/test_gpu_ops.py compares the two on tiny files, operation by operation.
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

from conversion.tflite.check import read_checked
from conversion.tflite.names import operation_name, type_name


@dataclass(frozen=True)
class GpuCompatibility:
    """The verdict on a file.

    Attributes:
        compatible: the GPU runs all of it, with right values.
        reasons: what it does not take, each with how often; empty if compatible.
        table: version and source of the operator table.
    """

    compatible: bool
    reasons: tuple[str, ...]
    table: str


def check_gpu(path: str | Path) -> GpuCompatibility:
    """Compares every operation and tensor of a file with the table.

    Raises:
        ModelError: not a readable .tflite.
    """
    table = gpu_table()
    _, model = read_checked(path)
    found: Counter[str] = Counter()
    for graph in model.subgraphs:
        found.update(_tensor_problems(graph, table))
        surroundings = _Surroundings(model, graph)
        found.update(_output_problems(graph, surroundings))
        for operator in graph.operators:
            operation = _Operation(surroundings, operator)
            found.update(f"{operation.name}: {problem}" for problem in _problems(operation, table))
    if len(model.subgraphs) > 1:
        found[f"{len(model.subgraphs)} subgraphs: the GPU runs one"] += 1
    reasons = tuple(reason + (f" ({count} times)" if count > 1 else "") for reason, count in found.items())
    source, engine = table["source"], table["engine"]
    named = f"version {table['version']}: {source['repository']} {source['commit'][:8]} ({source['date']}), corrected by {engine['name']}"
    return GpuCompatibility(not reasons, reasons, named)


@functools.cache
def gpu_table() -> dict[str, Any]:
    """The operator table as JSON gives it."""
    return json.loads((resources.files("conversion.gpu") / "ops.json").read_text())


class _Surroundings:
    """A graph, and who makes and reads each tensor, found once: a file may have many operations."""

    def __init__(self, model: Any, graph: Any) -> None:
        self.codes, self.graph, self.buffers = model.operatorCodes, graph, model.buffers
        self.makers = {int(tensor): op for op in graph.operators for tensor in (op.outputs if op.outputs is not None else ())}
        self.readers: dict[int, list[int]] = {}
        for number, op in enumerate(graph.operators):
            for tensor in op.inputs if op.inputs is not None else ():
                self.readers.setdefault(int(tensor), []).append(number)


class _Operation:
    """An operator with its surroundings, for the rules."""

    def __init__(self, surroundings: _Surroundings, operator: Any) -> None:
        code = surroundings.codes[operator.opcodeIndex]
        self.name = operation_name(code)
        self.version = code.version
        self.options = operator.builtinOptions
        self.inputs = [int(i) for i in operator.inputs if i >= 0] if operator.inputs is not None else []
        self.outputs = [int(i) for i in operator.outputs] if operator.outputs is not None else []
        self.graph, self.buffers, self.surroundings = surroundings.graph, surroundings.buffers, surroundings

    def shape(self, tensor: int) -> tuple[int, ...]:
        shape = self.graph.tensors[tensor].shape
        return () if shape is None else tuple(int(side) for side in shape)

    def computed(self) -> list[int]:
        """The inputs that are no constants; a constant behind DEQUANTIZE counts as one."""
        made = self.surroundings.makers
        return [i for i in self.inputs if not self._constant(made[i].inputs[0] if i in made and len(made[i].inputs) == 1 else i)]

    def _constant(self, tensor: int) -> bool:
        data = self.buffers[self.graph.tensors[tensor].buffer].data
        return data is not None and len(data) > 0


def _problems(operation: _Operation, table: dict[str, Any]) -> list[str]:
    entry = table["ops"].get(operation.name)
    if entry is None:
        return ["not supported" if operation.name in table["refused"] else "not known to be supported"]
    try:
        found = [RULES[rule](operation) for rule in entry.get("rules", ())]
    except (AttributeError, IndexError, TypeError):  # a damaged file gives a convolution's options to a pad, or no inputs
        return ["its inputs or options are those of another operation"]
    if entry["max_version"] is not None and operation.version > entry["max_version"]:
        found.append(f"version {operation.version}, {entry['max_version']} is the newest that is taken")
    return [problem for problem in found if problem]


def _tensor_problems(graph: Any, table: dict[str, Any]) -> list[str]:
    found = []
    for tensor in graph.tensors:
        rank = 0 if tensor.shape is None else len(tensor.shape)
        if rank > table["max_rank"]:
            found.append(f"a tensor of rank {rank}: {table['max_rank']} is the most")
        if type_name(tensor.type) not in table["types"]:
            found.append(f"a tensor of {type_name(tensor.type)}")
        if tensor.shapeSignature is not None and -1 in np.asarray(tensor.shapeSignature):
            found.append("a tensor without a static shape")
    return found


def _output_problems(graph: Any, surroundings: "_Surroundings") -> list[str]:
    """Of an output that is read on inside: the engine fuses the operation that makes it into the one that reads it (measured)."""
    read = [o for o in dict.fromkeys(map(int, graph.outputs)) if o in surroundings.readers and o in surroundings.makers]
    return ["an output that another operation reads: wrong values where the engine fuses the two"] * len(read)


def _two_inputs(op: _Operation) -> str | None:
    return None if len(op.inputs) == 2 else f"{len(op.inputs)} inputs, 2 are taken"


def _one_computed_input(op: _Operation) -> str | None:
    count = len(op.computed())
    return None if count == 1 else f"{count} computed inputs, 1 is taken"


def _distinct_inputs(op: _Operation) -> str | None:
    return None if len(set(op.inputs)) == len(op.inputs) else "the same tensor twice"


def _whole_channel_groups(op: _Operation) -> str | None:
    channels, of_kernel = op.shape(op.inputs[0])[-1], op.shape(op.inputs[1])[-1]
    whole = channels == of_kernel or of_kernel % 4 == 0
    return None if whole else f"in groups of {of_kernel} channels: wrong values, only multiples of 4 are right"


def _paddings_of_a_map(op: _Operation) -> str | None:
    return None if op.shape(op.inputs[1])[0] in (3, 4) else f"paddings of rank {op.shape(op.inputs[1])[0]}, 3 and 4 are taken"


def _reflects(op: _Operation) -> str | None:
    return None if op.options.mode == 0 else "symmetric, only reflect is taken"


def _block_above_1(op: _Operation) -> str | None:
    return None if op.options.blockSize > 1 else f"block size {op.options.blockSize}"


def _not_both_alignments(op: _Operation) -> str | None:
    return "align_corners and half_pixel_centers together" if op.options.alignCorners and op.options.halfPixelCenters else None


def _keeps_axes(op: _Operation) -> str | None:
    masks = op.options.ellipsisMask or op.options.newAxisMask or op.options.shrinkAxisMask
    return "an ellipsis, new-axis or shrink-axis mask" if masks else None


def _beta_1(op: _Operation) -> str | None:
    return None if op.options.beta == 1 else f"beta {op.options.beta:g}"


def _outputs_read_apart(op: _Operation) -> str | None:
    readers = Counter(reader for tensor in set(op.outputs) for reader in set(op.surroundings.readers.get(tensor, ())))
    return "one operation reads two of its outputs: wrong values" if max(readers.values(), default=0) > 1 else None


RULES: dict[str, Callable[[_Operation], str | None]] = {
    "two_inputs": _two_inputs,
    "one_computed_input": _one_computed_input,
    "distinct_inputs": _distinct_inputs,
    "whole_channel_groups": _whole_channel_groups,
    "paddings_of_a_map": _paddings_of_a_map,
    "reflects": _reflects,
    "block_above_1": _block_above_1,
    "not_both_alignments": _not_both_alignments,
    "keeps_axes": _keeps_axes,
    "beta_1": _beta_1,
    "outputs_read_apart": _outputs_read_apart,
}
"""What the table's "rules" name: an operation to what is wrong with it, None if nothing is."""
