"""Files of any number of inputs and outputs on LiteRT's GPU engine: the GPU alone, in a process of its own with a time limit."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.gpu.devices import VulkanDevice, software_devices, system_device
from conversion.gpu.engine import TIME_LIMIT_S, NoVulkanDevice, adapter_of
from conversion.tflite.prefixes import part_of, with_copies
from keras_models.system.errors import ModelError
from keras_models.system.messages import last_words
from keras_models.system.processes import Task, stream

Feed = Mapping[int, np.ndarray]
"""Index of an input's tensor -> its value, in that tensor's shape and dtype, in the order of the inputs."""


@dataclass(frozen=True)
class TensorJob:
    """A part of a file and what to run it on.

    Attributes:
        data: the whole .tflite.
        outputs: the tensors wanted, by their index: one is the end of a prefix, several are copied out of the longest one.
        feeds: of the file's inputs: a run each.
        half: allow half precision; False enforces float32.
        inputs: tensors that the feeds give instead of the file's inputs; None for those.
        copied: several outputs are copied out; False takes them as the file itself gives its own.
    """

    data: bytes
    outputs: tuple[int, ...]
    feeds: Sequence[Feed]
    half: bool
    inputs: tuple[int, ...] | None = None
    copied: bool = True


@dataclass(frozen=True)
class TensorRun:
    """What came back: for each feed, tensor index -> value; the adapter's name; whether that adapter is a CPU."""

    values: tuple[dict[int, np.ndarray], ...]
    device: str
    software: bool


def run_parts(path: Path, jobs: Sequence[TensorJob], device: VulkanDevice, limit_s: float = TIME_LIMIT_S) -> list[TensorRun | ModelError]:
    """Runs parts of a file in one process; each gives a run or its error. Jobs behind one that crashed or hung are errors too.

    Args:
        path: the file, for errors.
        jobs: parts of it.
        device: to run them on.
        limit_s: seconds, for each of them.
    """
    results: list[TensorRun | ModelError] = []
    with tempfile.TemporaryDirectory(prefix="mobile-sr-gpu-") as name:
        folder = Path(name)
        entries = [_prepared(job, folder, number) for number, job in enumerate(jobs)]
        task = Task("conversion.gpu.run_tensors:run_each", [entries, name], limit_s, _Died, device.environment)
        try:
            with stream(task) as answers:
                for facts in answers:
                    results.append(_result(path, jobs[len(results)], folder, len(results), device, facts))
        except _Died as died:
            for number in range(len(results), len(jobs)):
                log = folder / f"log{number}"
                said = last_words(log.read_text(errors="replace")) if log.exists() else ""
                results.append(
                    ModelError(f"{path}: the GPU engine on {device.name}: {died}{': ' + said if said else ''}: give smaller inputs")
                )
    return results


def half_device(path: Path) -> VulkanDevice:
    """The device to look at half precision on: this machine's own GPU, else Mesa's lavapipe, which computes true half numbers.

    Raises:
        ModelError: there is neither.
    """
    own = system_device()
    if own is not None and _is_there(path, own):
        return own
    for device in software_devices():
        if device.name == "lavapipe":
            return device
    raise ModelError("no Vulkan device here that computes half precision: run scripts/gpu_packages.sh, which unpacks a software one")


class _Died(ModelError):
    """What became of the process."""


def _is_there(path: Path, device: VulkanDevice) -> bool:
    """Whether a GPU stands behind a driver: asked of the engine with the first file at hand, its refusal is an answer too."""
    (result,) = run_parts(path, [TensorJob(_probe(), (1,), [{0: np.ones((1, 4, 4, 4), np.float32)}], False)], device, 120)
    return not isinstance(result, NoVulkanDevice)


def _probe() -> bytes:
    """A file of one operation."""
    from ai_edge_litert import schema_py_generated as schema

    from conversion.tflite.check import packed

    model, graph, code, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], [code]
    graph.tensors = [schema.TensorT(), schema.TensorT()]
    for number, tensor in enumerate(graph.tensors):
        tensor.name, tensor.shape, tensor.hasRank = f"t{number}", [1, 4, 4, 4], True
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [1]
    return packed(model)


def _prepared(job: TensorJob, folder: Path, number: int) -> dict:
    model = folder / f"part{number}.tflite"
    data, outputs = with_copies(job.data, job.outputs) if len(job.outputs) > 1 and job.copied else (job.data, job.outputs)
    model.write_bytes(part_of(data, outputs, job.inputs))
    for turn, feed in enumerate(job.feeds):
        named: dict[str, Any] = {f"i{place}": value for place, value in enumerate(feed.values())}
        np.savez(folder / f"inputs{number}_{turn:03}.npz", **named)
    return {"model": str(model), "half": job.half, "outputs": [f"o{place}" for place in range(len(job.outputs))]}


def _result(path: Path, job: TensorJob, folder: Path, number: int, device: VulkanDevice, facts: dict) -> TensorRun | ModelError:
    try:
        name, software = adapter_of(path, device, facts, (folder / f"log{number}").read_text(errors="replace"))
    except ModelError as error:
        return error
    values = []
    for turn in range(len(job.feeds)):
        with np.load(folder / f"{number}_{turn}.npz") as arrays:
            values.append({tensor: arrays[f"o{place}"] for place, tensor in enumerate(job.outputs)})
    return TensorRun(tuple(values), name, software)
