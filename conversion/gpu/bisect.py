"""Which operation of a .tflite breaks in half precision? Every operation's result on the real GPU engine, held to the CPU's.

All results of a run are copied out at once, in both precisions; the first that leaves what rounding explains is then run as the end of a
prefix of its own, and by itself, on inputs that are right: so a copy that changes what the engine fuses cannot name the wrong one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from conversion.gpu.bisection import Bisection, Culprit, Step
from conversion.gpu.devices import VulkanDevice
from conversion.gpu.engine import TIME_LIMIT_S, GpuRefusal
from conversion.gpu.half_reasons import reason_of
from conversion.gpu.rounding_bound import HALF_STEP, Leaving, leaving
from conversion.gpu.tensors import Feed, TensorJob, TensorRun, half_device, run_parts
from conversion.gpu.verify import ROUNDINGS
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import read_checked
from conversion.tflite.made_inputs import rounded_feed
from conversion.tflite.names import text_of
from conversion.tflite.prefixes import computed_tensors, operations_of
from keras_models.system.errors import ModelError

CHUNK_BYTES = 1 << 28
"""Results that are copied out of one run."""
MOVES = 3
"""How often the inputs are moved by rounding: what one draw of signs leaves where it was the next one moves."""
CONFIRMATIONS = 8
"""Prefixes that are run until one leaves as its copy did."""


@dataclass(frozen=True)
class _File:
    """A file, what its operations make on the CPU, and on inputs that were moved by half's rounding."""

    path: Path
    data: bytes
    model: Any
    feeds: Mapping[str, Feed]
    right: Sequence[dict[int, np.ndarray]]
    moved: Sequence[dict[int, np.ndarray]]
    """`MOVES` of each feed, one after another."""
    taps: Sequence[tuple[int, int]]
    """(number of the operation, tensor) of all results that are compared."""

    def leaving(self, turn: int, tensor: int, got: np.ndarray, exact: bool = False) -> Leaving:
        """How far a result on the feed of that number is off."""
        moved = [run[tensor] for run in self.moved[MOVES * turn : MOVES * (turn + 1)]]
        return leaving(self.right[turn][tensor], moved, got, exact)


def bisect_on_gpu(path: str | Path, feeds: Mapping[str, Feed], data: bytes | None = None, limit_s: float = TIME_LIMIT_S) -> Bisection:
    """Names the first operation whose half-precision result leaves single precision by more than rounding explains.

    Args:
        path: a float .tflite of fixed sizes.
        feeds: what an input is called -> values for the file's inputs.
        data: its bytes, if they are not those at `path`.
        limit_s: seconds, of each of the engine's processes.

    Raises:
        ModelError: an integer file, one that the CPU cannot run, no device of half precision, a crash or the time limit.
    """
    path = Path(path)
    data = path.read_bytes() if data is None else data
    _, model = read_checked(path)
    file = _on_cpu(path, data, model, feeds)
    device = half_device(path)
    file, refused = _taken(file, device, limit_s)
    if not file.taps:
        return _refused(file, refused or "", device)
    single, half = (_all_results(file, device, precision, limit_s) for precision in (False, True))
    _refuse_without_half(file, single, half)
    wrong_steps, steps = _steps(file, single, exact=True), _steps(file, half, exact=False)
    unconfirmed: list[int] = []
    found = _confirmed(file, device, steps, half, unconfirmed, limit_s) or _by_halves(file, device, limit_s)
    return Bisection(
        file=str(path),
        device=half.device,
        inputs=tuple(feeds),
        compared=len(steps),
        operations=len(model.subgraphs[0].operators),
        refused=refused,
        single=_wrong_in_single(file, device, wrong_steps, single, limit_s),
        half=found,
        not_finite=next((step for step in steps if step.ratio is None), None),
        unconfirmed=tuple(unconfirmed),
        outputs_leave=_outputs_leave(file, device, limit_s) if found else False,
        steps=tuple(steps),
    )


def taps_of(model: Any) -> list[tuple[int, int]]:
    """(number of the operation, tensor) of all results of single precision that depend on the inputs."""
    from ai_edge_litert import schema_py_generated as schema

    graph, computed = model.subgraphs[0], computed_tensors(model)
    return [
        (number, int(tensor))
        for number, operator in enumerate(graph.operators)
        for tensor in (operator.outputs if operator.outputs is not None else ())
        if int(tensor) in computed and graph.tensors[int(tensor)].type == schema.TensorType.FLOAT32
    ]


def _on_cpu(path: Path, data: bytes, model: Any, feeds: Mapping[str, Feed]) -> _File:
    from ai_edge_litert import schema_py_generated as schema

    integers = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}
    made = computed_tensors(model)
    if {model.subgraphs[0].tensors[i].type for i in made} & integers:
        raise ModelError(f"{path}: an integer file has no half precision: compare it with its float file, `int8_of`")
    if not taps_of(model):
        raise ModelError(f"{path}: no operation makes numbers of single precision of its inputs: there is nothing to compare")
    graph = model.subgraphs[0]
    read = {int(i) for op in graph.operators for i in (op.inputs if op.inputs is not None else ()) if i >= 0} | made
    wanted = {i for i in read if graph.tensors[i].type in (schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.BOOL)}
    right = all_tensors(data, [*feeds.values()], wanted, path)
    rounded = [rounded_feed(feed, HALF_STEP, seed) for feed in feeds.values() for seed in range(MOVES)]
    moved = all_tensors(data, rounded, {tensor for _, tensor in taps_of(model)}, path)
    return _File(path, data, model, feeds, right, moved, taps_of(model))


def _taken(file: _File, device: VulkanDevice, limit_s: float) -> tuple[_File, str | None]:
    """The file with those of its results that the engine takes, and the engine's word if it refuses others.

    Raises:
        ModelError: it crashes or hangs.
    """
    ends = tuple(dict.fromkeys(t for _, t in file.taps if t in {int(o) for o in file.model.subgraphs[0].outputs})) or (file.taps[-1][1],)
    (run,) = run_parts(file.path, [TensorJob(file.data, ends, [], False)], device, limit_s)
    if isinstance(run, TensorRun):
        return file, None
    if not isinstance(run, GpuRefusal):
        raise run
    words = str(run).removeprefix(f"{file.path}: ")
    names, graph = operations_of(file.model), file.model.subgraphs[0]
    bad = {number for number, name in enumerate(names) if re.search(rf"\b{re.escape(name)}\b", words)}
    behind: set[int] = set()
    for number, operator in enumerate(graph.operators):
        if number in bad or behind & {int(i) for i in operator.inputs}:
            behind |= {int(o) for o in operator.outputs}
    kept = [(number, tensor) for number, tensor in file.taps if tensor not in behind] if bad else []
    return replace(file, taps=kept), words


def _all_results(file: _File, device: VulkanDevice, half: bool, limit_s: float) -> TensorRun:
    """Copies of every result, in as many runs as they need."""
    chunks: list[list[int]] = [[]]
    held = 0
    for _, tensor in file.taps:
        held += file.right[0][tensor].nbytes
        if held > CHUNK_BYTES and chunks[-1]:
            chunks, held = [*chunks, []], file.right[0][tensor].nbytes
        chunks[-1].append(tensor)
    feeds = [*file.feeds.values()]
    runs = run_parts(file.path, [TensorJob(file.data, tuple(chunk), feeds, half) for chunk in chunks], device, limit_s)
    for run in runs:
        if isinstance(run, ModelError):
            raise run
    whole = [run for run in runs if isinstance(run, TensorRun)]
    values = tuple({t: v for run in whole for t, v in run.values[turn].items()} for turn in range(len(feeds)))
    return TensorRun(values, whole[0].device, whole[0].software)


def _refuse_without_half(file: _File, single: TensorRun, half: TensorRun) -> None:
    pairs = ((a[t], b[t]) for a, b in zip(single.values, half.values) for _, t in file.taps)
    if all(np.array_equal(a, b, equal_nan=True) for a, b in pairs) and any(value.any() for run in file.right for value in run.values()):
        raise ModelError(
            f"{file.path}: {half.device} gives the same in both precisions: it computes no half numbers (or nothing here rounds)"
        )


def _steps(file: _File, run: TensorRun, exact: bool) -> list[Step]:
    names, graph = operations_of(file.model), file.model.subgraphs[0]
    steps = []
    for number, tensor in file.taps:
        found = {name: file.leaving(turn, tensor, run.values[turn][tensor], exact) for turn, name in enumerate(file.feeds)}
        worst = max(found, key=lambda name: found[name].ratio)
        steps.append(_step(number, names[number], text_of(graph.tensors[tensor].name), worst, found[worst]))
    return steps


def _step(number: int, operation: str, tensor: str, name: str, found: Leaving) -> Step:
    finite = np.isfinite(found.ratio)
    return Step(
        number, operation, tensor, name, found.difference if finite else None, found.allowed, float(found.ratio) if finite else None
    )


def _confirmed(
    file: _File, device: VulkanDevice, steps: Sequence[Step], half: TensorRun, unconfirmed: list[int], limit_s: float
) -> Culprit | None:
    """The first operation that leaves in its copy and as the end of its prefix."""
    for step in [step for step in steps if step.leaves][:CONFIRMATIONS]:
        tensor = _tensor_of(file, step)
        (run,) = run_parts(file.path, [TensorJob(file.data, (tensor,), [*file.feeds.values()], True)], device, limit_s)
        if isinstance(run, ModelError):
            raise run
        if max(file.leaving(turn, tensor, got[tensor]).ratio for turn, got in enumerate(run.values)) > 1:
            return _culprit(file, step, half, device, True, limit_s)
        unconfirmed.append(step.number)
    return None


def _wrong_in_single(file: _File, device: VulkanDevice, steps: Sequence[Step], run: TensorRun, limit_s: float) -> Culprit | None:
    """The first operation that the engine computes wrongly: by itself, or by far.

    Two right ways to add up many numbers differ in their last bits, and what takes large numbers from each other shows these alone: such an
    operation leaves a little, and not by itself.
    """
    for step in [step for step in steps if step.leaves][:CONFIRMATIONS]:
        found = _culprit(file, step, run, device, False, limit_s)
        if found.alone or step.ratio is None or step.ratio > ROUNDINGS:
            return found
    return None


def _by_halves(file: _File, device: VulkanDevice, limit_s: float) -> Culprit | None:
    """The shortest prefix that leaves, where the file's outputs do although no copy did: found by halving."""
    if not _outputs_leave(file, device, limit_s):
        return None
    low, high, ran = 0, len(file.taps) - 1, dict[int, TensorRun]()
    while low <= high:
        middle = (low + high) // 2
        (run,) = run_parts(file.path, [TensorJob(file.data, (file.taps[middle][1],), [*file.feeds.values()], True)], device, limit_s)
        if isinstance(run, ModelError):
            raise run
        tensor = file.taps[middle][1]
        if max(file.leaving(turn, tensor, got[tensor]).ratio for turn, got in enumerate(run.values)) > 1:
            ran[middle], high = run, middle - 1
        else:
            low = middle + 1
    return _culprit(file, _steps(replace(file, taps=[file.taps[low]]), ran[low], exact=False)[0], ran[low], device, True, limit_s)


def _tensor_of(file: _File, step: Step) -> int:
    graph = file.model.subgraphs[0]
    return next(t for number, t in file.taps if number == step.number and text_of(graph.tensors[t].name) == step.tensor)


def _culprit(file: _File, step: Step, run: TensorRun, device: VulkanDevice, half: bool, limit_s: float) -> Culprit:
    graph, turn, tensor = file.model.subgraphs[0], [*file.feeds].index(step.input), _tensor_of(file, step)
    right, operator = file.right[turn], graph.operators[step.number]
    read = [int(i) for i in operator.inputs if int(i) in right]
    computed = computed_tensors(file.model)
    values = [right[i] for i in sorted(read, key=lambda i: i not in computed)]
    if half:
        reason = reason_of(step.operation, values if step.operation not in ("DIV",) else [right[i] for i in read], right[tensor],
                           run.values[turn][tensor])  # fmt: skip
    else:
        reason = "the engine gives other values than the CPU in single precision already"
    alone = _leaves_alone(file, step.number, tensor, turn, device, half, limit_s)
    return Culprit(
        step.number, step.operation, step.tensor, step.input, step.difference, step.allowed,
        {text_of(graph.tensors[i].name): _range(right[i]) for i in read if right[i].size}, _range(right[tensor]), reason, alone,
    )  # fmt: skip


def _leaves_alone(file: _File, number: int, tensor: int, turn: int, device: VulkanDevice, half: bool, limit_s: float) -> bool:
    """Whether the operation leaves on the CPU's own values for its inputs."""
    computed = computed_tensors(file.model)
    given = {int(i): file.right[turn][int(i)] for i in file.model.subgraphs[0].operators[number].inputs if int(i) in computed}
    (run,) = run_parts(file.path, [TensorJob(file.data, (tensor,), [given], half, tuple(given))], device, limit_s)
    if isinstance(run, ModelError):
        return False
    return file.leaving(turn, tensor, run.values[0][tensor], not half).ratio > 1


def _outputs_leave(file: _File, device: VulkanDevice, limit_s: float) -> bool:
    taps = {tensor for _, tensor in file.taps}
    outputs = tuple(dict.fromkeys(int(o) for o in file.model.subgraphs[0].outputs if int(o) in taps))
    jobs = [TensorJob(file.data, (output,), [*file.feeds.values()], True) for output in outputs]
    for output, run in zip(outputs, run_parts(file.path, jobs, device, limit_s)):
        if isinstance(run, ModelError):
            raise run
        if any(file.leaving(turn, output, got[output]).ratio > 1 for turn, got in enumerate(run.values)):
            return True
    return False


def _refused(file: _File, words: str, device: VulkanDevice) -> Bisection:
    operations = len(file.model.subgraphs[0].operators)
    return Bisection(str(file.path), device.name, tuple(file.feeds), 0, operations, words, None, None, None, (), False, ())


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())
