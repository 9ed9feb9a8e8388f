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
    """Compiles for the GPU alone, so that nothing can quietly run on the CPU, and runs every input."""
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
    outputs, facts["run_s"] = [], []
    for tensor in inputs:
        begun = time.perf_counter()
        feed[0].write(np.ascontiguousarray(tensor))
        model.run_by_index(0, feed, result)
        outputs.append(result[0].read(int(np.prod(shape)), dtype).reshape(shape))
        facts["run_s"].append(time.perf_counter() - begun)
    return np.stack(outputs)


if __name__ == "__main__":
    main()
