"""The process that runs .tflite files on LiteRT's GPU engine; `conversion.gpu.engine` starts it with a Vulkan device and a time limit.

    python -m conversion.gpu.run FOLDER

FOLDER/jobs.json lists {"model": path, "half": bool, "inputs": .npy of stacked input tensors}. Each job leaves N.json (what
happened) and, if it ran, N.npy (the outputs, stacked) in FOLDER. Before each job a line of `MARK` goes to stderr, where the
engine talks: only there it names its adapter and the operations that it refuses.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MARK = "---- mobile-sr gpu job ----"


def main() -> None:
    """Runs the jobs one after another; a refusal is a result, a crash leaves the job without one."""
    folder = Path(sys.argv[1])
    for number, job in enumerate(json.loads((folder / "jobs.json").read_text())):
        facts: dict[str, Any] = {"refused": None}
        os.write(2, f"\n{MARK}\n".encode())
        try:
            np.save(folder / f"{number}.npy", _run(job["model"], job["half"], np.load(job["inputs"]), facts))
        except (RuntimeError, ValueError) as error:  # how LiteRT says no
            facts["refused"] = str(error)
        (folder / f"{number}.json").write_text(json.dumps(facts))


def _run(path: str, half: bool, inputs: np.ndarray, facts: dict[str, Any]) -> np.ndarray:
    run = compiled(path, half, facts)
    outputs, facts["run_s"] = [], []
    for tensor in inputs:
        begun = time.perf_counter()
        outputs.append(run(tensor))
        facts["run_s"].append(time.perf_counter() - begun)
    return np.stack(outputs)


def compiled(path: str, half: bool, facts: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A file compiled for the GPU alone, so that nothing can quietly run on the CPU: what makes the output tensor of the input.

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
    options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=not half))
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


if __name__ == "__main__":
    main()
