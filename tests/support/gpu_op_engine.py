"""What LiteRT's real GPU engine does with the tiny files of `gpu_op_models`, each held to the CPU."""

import numpy as np

from conversion.gpu.engine import GpuJob, GpuRefusal, GpuRun, run_jobs
from keras_models.system.quiet import silenced
from support.gpu_op_models import CASES

TOLERANCE = 1e-3  # GPUs may approximate sine and cosine; a wrong value is off by 0.5 and more


def engine_answers(files, device):
    """Case name -> None if the GPU engine takes the file and gives the CPU's values, else what it does instead."""
    rng = np.random.default_rng(0)
    jobs = {name: GpuJob(path, rng.random((1, *CASES[name][1]), dtype=np.float32)) for name, path in files.items()}
    said, waiting = {}, list(jobs)
    while waiting:  # a crash takes the jobs behind it along, so they run again
        results = dict(zip(waiting, run_jobs([jobs[name] for name in waiting], device, 120)))
        for name, result in results.items():
            waiting.remove(name)
            if isinstance(result, GpuRun):
                wrong = np.abs(result.outputs[0] - on_cpu(jobs[name])).max() > TOLERANCE
                said[name] = "wrong values" if wrong else None
            else:
                said[name] = str(result)
            if not isinstance(result, (GpuRun, GpuRefusal)):
                break
    return said


def on_cpu(job):
    """The file's output on the CPU."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        interpreter = Interpreter(str(job.path))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], job.inputs[0])
        interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
