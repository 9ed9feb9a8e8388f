"""Any float .tflite on LiteRT's GPU engine, in single and in half precision, held to the CPU: as it is, its own outputs alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.gpu.engine import GpuRefusal
from conversion.gpu.rounding_bound import HALF_STEP, leaving
from conversion.gpu.tensors import Feed, TensorJob, half_device, run_parts
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import parse_checked
from conversion.tflite.made_inputs import rounded_feed
from conversion.tflite.names import text_of
from keras_models.system.errors import ModelError

_MOVES = 3


@dataclass(frozen=True)
class GpuOutput:
    """One output on one input at one precision: largest difference to the CPU (None: not finite), what rounding explains, if it is more."""

    precision: str
    name: str
    input: str
    difference: float | None
    allowed: float
    leaves: bool


@dataclass(frozen=True)
class AnyGpu:
    """What the GPU engine did; `refused` is its word if it does not take the file whole."""

    device: str
    refused: str | None
    outputs: tuple[GpuOutput, ...]

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        if self.refused:
            return [self.refused]
        return [f"{_line(output)} on {self.device}" for output in self.outputs if output.leaves]

    def as_text(self) -> str:
        """A line for every output."""
        if self.refused:
            return "GPU engine           refused"
        return "\n".join([f"GPU engine           {self.device}: fully accelerated", *(f"  {_line(output)}" for output in self.outputs)])


def run_any_gpu(path: Path, data: bytes, feeds: Mapping[str, Feed]) -> AnyGpu:
    """Runs a file of fixed sizes on this machine's GPU or a software one.

    Raises:
        ModelError: no device, a crash or the time limit.
    """
    model = parse_checked(data, str(path))
    graph, device = model.subgraphs[0], half_device(path)
    outputs = tuple(dict.fromkeys(map(int, graph.outputs)))
    right = all_tensors(data, [*feeds.values()], set(outputs), path)
    moved = all_tensors(data, [rounded_feed(feed, HALF_STEP, s) for feed in feeds.values() for s in range(_MOVES)], set(outputs), path)
    jobs = [TensorJob(data, outputs, [*feeds.values()], half, copied=False) for half in (False, True)]
    found, name = [], device.name
    for half, run in zip((False, True), run_parts(path, jobs, device)):
        if isinstance(run, GpuRefusal):
            return AnyGpu(device.name, str(run).removeprefix(f"{path}: "), ())
        if isinstance(run, ModelError):
            raise run
        name = run.device
        for turn, on in enumerate(feeds):
            for tensor in outputs:
                held = [m[tensor] for m in moved[_MOVES * turn : _MOVES * (turn + 1)]]
                off = leaving(right[turn][tensor], held, run.values[turn][tensor], exact=not half)
                finite = float(off.difference) if np.isfinite(off.difference) else None
                precision = "half" if half else "single"
                found.append(GpuOutput(precision, text_of(graph.tensors[tensor].name), on, finite, off.allowed, off.ratio > 1))
    return AnyGpu(name, None, tuple(found))


def _line(output: GpuOutput) -> str:
    off = "NOT FINITE" if output.difference is None else f"largest difference {output.difference:.2g}"
    return f"{output.precision} precision, {output.name}, {output.input}: {off}, {output.allowed:.2g} is explained by rounding"
