"""Runs .tflite files of any number of inputs and outputs on LiteRT's GPU engine, in the children of `conversion.gpu.tensors`."""

import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from conversion.gpu.run import facts_of, heard


def run_each(jobs: list[dict], folder: str) -> Generator[dict]:
    """Runs files one after another.

    Args:
        jobs: {"model": path, "half": bool, "outputs": [names]}; the feeds are `folder`/inputsN_F.npz, a file each.
        folder: the outputs go to N_F.npz there and what the engine says to logN.

    Yields:
        What happened: {"refused": None or the engine's words, "fully_accelerated"}.
    """
    for number, job in enumerate(jobs):
        with heard(f"{folder}/log{number}"):
            facts = facts_of(partial(_run, job, Path(folder), number))
        yield facts


def _run(job: dict, folder: Path, number: int, facts: dict[str, Any]) -> None:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=not job["half"]))
    begun = time.perf_counter()
    model = CompiledModel.from_file(job["model"], options=options)
    facts["compile_s"] = time.perf_counter() - begun
    facts["fully_accelerated"] = model.is_fully_accelerated()
    (key, names) = next(iter(model.get_signature_list().items()))
    details = model.get_output_tensor_details(key)
    feeds = {name: model.create_input_buffer_by_name(key, name) for name in names["inputs"]}
    results = {name: model.create_output_buffer_by_name(key, name) for name in names["outputs"]}
    for turn, path in enumerate(sorted(folder.glob(f"inputs{number}_*.npz"))):
        with np.load(path) as arrays:
            for name, buffer in feeds.items():
                buffer.write(np.ascontiguousarray(arrays[name]))
        model.run_by_name(key, feeds, results)
        values: dict[str, Any] = {name: _read(results[name], details[name]) for name in job["outputs"]}
        np.savez(folder / f"{number}_{turn}.npz", **values)


def _read(buffer: Any, detail: dict[str, Any]) -> np.ndarray:
    shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
    return buffer.read(int(np.prod(shape)), dtype).reshape(shape)
