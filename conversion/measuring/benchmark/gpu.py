"""How fast a .tflite runs on this machine's GPU, through LiteRT's GPU engine; never on a Vulkan device that is software."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from conversion.engines.cpu import CpuEngine
from conversion.gpu.devices import system_device
from conversion.gpu.engine import GpuJob, run_jobs
from conversion.measuring.benchmark.host import HostRun
from conversion.measuring.benchmark.worker import statistics
from keras_models.system.errors import ModelError

_NO_GPU = "no Vulkan driver of a GPU on this machine: leave `gpu` out, or check that it runs with `mobile-sr verify --gpu`"


def benchmark_gpu(file: Path, runs: int) -> Iterator[HostRun]:
    """Two rows: half precision allowed, single precision enforced. A time includes the copies to and from the GPU.

    Args:
        file: a .tflite of one image in and one image out.
        runs: timed runs of each, after the first.

    Raises:
        ModelError: there is no GPU, or it is software.
    """
    device = system_device()
    if device is None:
        raise ModelError(_NO_GPU)
    engine = CpuEngine(file, threads=1)
    height, width = engine.tile
    images = np.random.default_rng(0).random((runs + 1, 1, height, width, 3), np.float32)
    for half in (True, False):
        precision, tile = "float16 allowed" if half else "float32", f"{height}x{width}"
        (run,) = run_jobs([GpuJob(file, images.astype(engine.input_dtype), half)], device)
        if isinstance(run, ModelError):
            yield HostRun(str(file), f"gpu, {precision}", None, tile, problem=str(run))
            continue
        if run.software:
            raise ModelError(f"{run.device} is a software device, whose times mean nothing: leave `gpu` out")
        first, *others = run.run_s
        yield HostRun(
            file=str(file),
            engine=f"{run.device}, {precision}",
            threads=None,
            tile=tile,
            init_ms=run.compile_s * 1e3,
            first_ms=first * 1e3,
            **statistics(others, height * width),
        )
