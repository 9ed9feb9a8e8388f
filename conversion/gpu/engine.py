"""LiteRT's GPU engine on a Vulkan device: the GPU alone, asserted fully accelerated, in a process of its own with a time limit."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.gpu.devices import VulkanDevice
from keras_models.system.errors import ModelError
from keras_models.system.messages import last_words
from keras_models.system.processes import Task, stream

TIME_LIMIT_S = 900.0
"""For one file, to compile and to run: what takes longer hangs."""

_ADAPTER = re.compile(r"Selected adapter: (.*?), arch=.*adapterType=([^\n]*)")
_REFUSED_OPS = re.compile(r"not supported by GPU delegate:\n(.*?)\n[^\n]*operations will run on the", re.DOTALL)


class GpuRefusal(ModelError):
    """The GPU engine does not take this file."""


class NoVulkanDevice(ModelError):
    """The driver shows no device."""


@dataclass(frozen=True)
class GpuJob:
    """A file and what to run it on.

    Attributes:
        path: the .tflite, of one input and one output.
        inputs: (N, *input shape), the tensor's dtype: N runs.
        half: allow half precision; False enforces float32.
    """

    path: Path
    inputs: np.ndarray
    half: bool = False


@dataclass(frozen=True)
class GpuRun:
    """What came back.

    Attributes:
        outputs: (N, *output shape).
        device: the adapter's name as the engine gives it.
        software: True if that adapter is a CPU.
        compile_s: seconds until the model was ready.
        run_s: seconds of each run; the first may still compile shaders.
    """

    outputs: np.ndarray
    device: str
    software: bool
    compile_s: float
    run_s: tuple[float, ...]


def run_on_gpu(job: GpuJob, device: VulkanDevice, time_limit_s: float = TIME_LIMIT_S) -> GpuRun:
    """Runs one file.

    Raises:
        GpuRefusal: the engine refuses an operation, or would run a part on the CPU.
        NoVulkanDevice: there is no device behind the driver.
        ModelError: it crashed, or did not finish in time.
    """
    (result,) = run_jobs([job], device, time_limit_s)
    if isinstance(result, ModelError):
        raise result
    return result


def run_jobs(jobs: Sequence[GpuJob], device: VulkanDevice, time_limit_s: float = TIME_LIMIT_S) -> list[GpuRun | ModelError]:
    """Runs files in one process; each gives a run or its error. Jobs behind one that crashed or hung are errors too.

    Args:
        jobs: the files.
        device: to run them on.
        time_limit_s: seconds, for each of them.
    """
    results: list[GpuRun | ModelError] = []
    with tempfile.TemporaryDirectory(prefix="mobile-sr-gpu-") as name:
        folder = Path(name)
        for number, job in enumerate(jobs):
            np.save(folder / f"inputs{number}.npy", job.inputs)
        entries = [{"model": str(job.path), "half": job.half} for job in jobs]
        task = Task("conversion.gpu.run:run_each", [entries, name], time_limit_s, _Died, device.environment)
        try:
            with stream(task) as answers:
                for facts in answers:
                    results.append(_result(jobs[len(results)], folder, len(results), device, facts))
        except _Died as died:
            for number, job in enumerate(jobs[len(results) :], len(results)):
                words = _last_words(folder / f"log{number}")
                where = f"{job.path}: the GPU engine on {device.name}"
                results.append(ModelError(f"{where}: {died}{words}: try a smaller tile"))
    return results


class _Died(ModelError):
    """What became of the process."""


def _result(job: GpuJob, folder: Path, number: int, device: VulkanDevice, facts: dict) -> GpuRun | ModelError:
    try:
        name, software = adapter_of(job.path, device, facts, (folder / f"log{number}").read_text(errors="replace"))
    except ModelError as error:
        return error
    return GpuRun(np.load(folder / f"{number}.npy"), name, software, facts["compile_s"], tuple(facts["run_s"]))


def adapter_of(path: Path, device: VulkanDevice, facts: dict, log: str) -> tuple[str, bool]:
    """The adapter that a file was compiled for, as the engine names it, and whether it is a CPU.

    Args:
        path: the file, for errors.
        device: that was asked for.
        facts: `refused` and `fully_accelerated`, of the process that compiled it.
        log: what the engine said there.

    Raises:
        GpuRefusal, NoVulkanDevice, ModelError: as `run_on_gpu`.
    """
    if "No adapters found" in log:
        raise NoVulkanDevice(f"{path}: the Vulkan drivers {device.environment['VK_DRIVER_FILES']} show no device: {_HELP}")
    if facts["refused"] is not None:
        named = _REFUSED_OPS.search(log)
        reason = ", ".join(named[1].split("\n")) if named else " ".join(facts["refused"].split())[:300]
        raise GpuRefusal(f"{path}: the GPU engine refuses it: {reason}")
    if not facts["fully_accelerated"]:
        raise GpuRefusal(f"{path}: the GPU engine would run a part of it on the CPU")
    adapter = _ADAPTER.search(log)
    if adapter is None:
        raise ModelError(f"{path}: the GPU engine ran but did not name its device: ai-edge-litert 2.3.0 does")
    return adapter[1].strip(), "CPU" in adapter[2]


def _last_words(log: Path) -> str:
    said = last_words(log.read_text(errors="replace")) if log.exists() else ""
    return f": {said}" if said else ""


_HELP = "run scripts/gpu_packages.sh for a software one"
