"""Measures one .tflite or .onnx at one setting, in a process of its own: the largest resident memory is a process'."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def statistics(seconds: Sequence[float], pixels: int) -> dict[str, Any]:
    """Median, 90th percentile and minimum of times, as fields of `conversion.measuring.benchmark.host.HostRun`.

    Args:
        seconds: of each run.
        pixels: low-resolution pixels of a run.
    """
    ms = np.asarray(seconds) * 1e3
    fastest = float(ms.min())
    spread = {"median_ms": float(np.median(ms)), "p90_ms": float(np.percentile(ms, 90)), "min_ms": fastest}
    return {**spread, "runs": len(ms), "us_per_pixel": fastest * 1e3 / pixels}


def measure(
    file: str, threads: int, tile: list[int] | None, runs: int, photo: str | None, said: Sequence[str | None] = (None, None)
) -> dict[str, float | int | str | None]:
    """Times one file; the keys are fields of `conversion.measuring.benchmark.host.HostRun`.

    Args:
        file: a .tflite or .onnx; every input is fed random numbers.
        threads: CPU threads.
        tile: (height, width), None for the file's own.
        runs: timed runs, after the first.
        photo: upscaled from file to file after that, None for no photo.
        said: range and order of the values that the file takes, where they are not to be measured on it; times do not depend on them,
            the photo does.

    Raises:
        ValueError: LiteRT cannot run the file at this size (or a RuntimeError).
    """
    if file.lower().endswith(".onnx"):
        return _measure_onnx(file, threads, tile, runs, photo, said)
    from ai_edge_litert.interpreter import Interpreter

    begun = time.perf_counter()
    interpreter = Interpreter(file, num_threads=threads)
    image = next((t for t in interpreter.get_input_details() if len(t["shape"]) == 4 and t["shape_signature"][-1] in (1, 3)), None)
    if image is None:
        raise ValueError("no input [1, h, w, 3] or [1, h, w, 1]: not a network of images")
    height, width = tile or map(int, image["shape"][1:3])
    if tile:
        interpreter.resize_tensor_input(image["index"], (1, height, width, int(image["shape_signature"][-1])), strict=False)
    interpreter.allocate_tensors()
    opened = time.perf_counter()
    random = np.random.default_rng(0)
    for tensor in interpreter.get_input_details():
        values = random.random(tensor["shape"], np.float32)
        if np.issubdtype(tensor["dtype"], np.integer):
            values *= np.iinfo(tensor["dtype"]).max
        interpreter.set_tensor(tensor["index"], values.astype(tensor["dtype"]))
    speed = None if photo is None else partial(photo_speed, file, threads, tile, Path(photo), said)
    return _row((height, width), opened - begun, interpreter.invoke, runs, speed)


def _measure_onnx(
    file: str, threads: int, tile: list[int] | None, runs: int, photo: str | None, said: Sequence[str | None]
) -> dict[str, float | int | str | None]:
    """`measure` by onnxruntime."""
    from conversion.engines.onnx_engine import OnnxEngine

    begun = time.perf_counter()
    engine = OnnxEngine(file, threads)
    opened = time.perf_counter()
    height, width = tile or engine.tile
    window = np.random.default_rng(0).random((height, width, engine.channels), np.float32)
    speed = None if photo is None else partial(photo_speed, file, threads, tile, Path(photo), said)
    return _row((height, width), opened - begun, partial(engine.infer, window), runs, speed)


def _row(
    size: tuple[int, int], opening_s: float, run: Callable[[], object], runs: int, speed: Callable[[], float] | None
) -> dict[str, float | int | str | None]:
    """The row of one file: the first run by itself, statistics of those after it, and what a photo takes, if one is given."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {
        "tile": f"{size[0]}x{size[1]}",
        "init_ms": opening_s * 1e3,
        "first_ms": seconds[0] * 1e3,
        **statistics(seconds[1:], size[0] * size[1]),
        "peak_mb": _peak_mb(),
        "photo_mp_s": None if speed is None else speed(),
    }


def photo_speed(
    file: str, threads: int, tile: list[int] | None, photo: Path, said: Sequence[str | None] = (None, None)
) -> float:
    """Low-resolution megapixels a second of `upscale_file`, reading and writing included.

    Args:
        file: a .tflite or .onnx.
        threads: CPU threads.
        tile: its larger side is the tiles' core, None for the default.
        photo: an image file.
        said: as in `measure`.
    """
    import tempfile

    from conversion.source import ModelSource
    from conversion.upscaling.images import ImageReader
    from conversion.upscaling.pipeline import UpscaleOptions, upscale_file

    engine, kind = ModelSource.of(file).saying(*said).engine(threads), ImageReader(photo).kind
    _ = engine.view, engine.colours  # measured on a foreign file once, and remembered: no part of a photo's time
    options = UpscaleOptions(tile=max(tile) if tile and engine.resizable else None)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        upscale_file(photo, Path(folder) / "upscaled.png", engine, options)
        return kind.height * kind.width / 1e6 / (time.perf_counter() - begun)


def _peak_mb() -> float | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
