"""Runs .tflite files on LiteRT's GPU engine, in the children of `conversion.gpu.engine` and `engines.gpu`.

The engine names its adapter, and what it refuses, only on standard error, which goes to a file for that.
"""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def run_each(jobs: list[dict], folder: str) -> Generator[dict]:
    """Runs files one after another.

    Args:
        jobs: {"model": path, "half": bool}; the inputs are `folder`/inputsN.npy, stacked tensors.
        folder: the outputs go to N.npy there, stacked, and what the engine says to logN.

    Yields:
        What happened: {"refused": None or the engine's words, "compile_s", "fully_accelerated", "run_s"}.
    """
    for number, job in enumerate(jobs):
        with heard(f"{folder}/log{number}"):
            facts = facts_of(partial(_run_job, job, f"{folder}/inputs{number}.npy", f"{folder}/{number}.npy"))
        yield facts


def windows(path: str, shape: list[int], log: str) -> Generator[dict | bytes, bytes, None]:
    """Runs a file in single precision: is sent the bytes of input tensors, and yields those of the outputs.

    Args:
        path: the .tflite, float32 in and out.
        shape: of its input.
        log: a file for what the engine says while it compiles.

    Yields:
        First how compiling went: {"refused": None or the engine's words, "fully_accelerated": bool}.
    """
    ready: list[Callable[[np.ndarray], np.ndarray]] = []
    with heard(log):
        facts = facts_of(lambda told: ready.append(compiled(path, False, told)))
    tensor = yield facts
    while ready:
        tensor = yield ready[0](np.frombuffer(tensor, np.float32).reshape(shape)).tobytes()


def facts_of(work: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """What became of work that LiteRT may refuse; the work adds facts of its own."""
    facts: dict[str, Any] = {"refused": None, "fully_accelerated": False}
    try:
        work(facts)
    except (RuntimeError, ValueError) as error:  # how LiteRT says no
        facts["refused"] = str(error)
    return facts


@contextlib.contextmanager
def heard(path: str | Path) -> Iterator[None]:
    """Sends standard error to a file."""
    kept = os.dup(2)
    with open(path, "wb", buffering=0) as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _run_job(job: dict, inputs: str, target: str, facts: dict[str, Any]) -> None:
    run = compiled(job["model"], job["half"], facts)
    outputs, facts["run_s"] = [], []
    for tensor in np.load(inputs):
        begun = time.perf_counter()
        outputs.append(run(tensor))
        facts["run_s"].append(time.perf_counter() - begun)
    np.save(target, np.stack(outputs))


def compiled(path: str, half: bool, facts: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A file compiled for the GPU alone, so that nothing can run on the CPU unseen: input to output tensor.

    Args:
        path: the .tflite.
        half: allow half precision.
        facts: is told `compile_s` and `fully_accelerated`.
    """
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    begun = time.perf_counter()
    precision = GpuOptions(enforce_f32=not half)
    options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=precision)
    model = CompiledModel.from_file(path, options=options)
    facts["compile_s"] = time.perf_counter() - begun
    facts["fully_accelerated"] = model.is_fully_accelerated()
    signature = next(iter(model.get_signature_list()))
    detail = next(iter(model.get_output_tensor_details(signature).values()))
    shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
    feed, result = model.create_input_buffers(0), model.create_output_buffers(0)

    def run(tensor: np.ndarray) -> np.ndarray:
        feed[0].write(np.ascontiguousarray(tensor))
        model.run_by_index(0, feed, result)
        return result[0].read(int(np.prod(shape)), dtype).reshape(shape)

    return run
