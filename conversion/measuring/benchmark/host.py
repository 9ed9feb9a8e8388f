"""How fast a .tflite runs on this machine through LiteRT: every setting in a process of its own, for its own peak of memory.

A time is that of `invoke` alone, the image already in the engine and the result left there; a whole photo is timed from file
to file. On a machine that does other work the minimum is the number to compare.
"""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from conversion.engines.values import NOTHING_SAID, Said
from conversion.measuring.benchmark.result_table import as_csv, as_table, problems_of
from keras_models.system.errors import MobileSRError, ModelError
from keras_models.system.processes import Task, call

REPORT_VERSION = 1

RUN_LIMIT_S, PHOTO_LIMIT_S = 300.0, 3600.0
"""For one run of a window, and for a photo: what takes longer hangs, or is not worth the wait."""


@dataclass(frozen=True)
class HostRun:
    """One file at one setting.

    Attributes:
        file: as given.
        engine: "cpu", "onnxruntime" for an .onnx, or the Vulkan adapter that ran it in single or half precision.
        threads: CPU threads, None on a GPU.
        tile: "HxW", low-resolution pixels.
        init_ms: opening the file and preparing the size, milliseconds; on a GPU compiling.
        first_ms: first run.
        median_ms: of the runs behind it.
        p90_ms: of the runs behind it.
        min_ms: fastest run.
        runs: how many.
        us_per_pixel: fastest run, microseconds a low-resolution pixel.
        peak_mb: largest resident memory of the process, Python and runtime included, megabytes; None on a GPU.
        photo_mp_s: low-resolution megapixels a second of a whole photo from file to file; None if no photo was given.
        problem: why there is no result, None if there is one.
    """

    file: str
    engine: str
    threads: int | None
    tile: str
    init_ms: float | None = None
    first_ms: float | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    min_ms: float | None = None
    runs: int | None = None
    us_per_pixel: float | None = None
    peak_mb: float | None = None
    photo_mp_s: float | None = None
    problem: str | None = None


_COLUMNS = {
    "file": ("file", ""),
    "engine": ("engine", ""),
    "threads": ("threads", "d"),
    "tile": ("tile", ""),
    "init_ms": ("init ms", ".1f"),
    "first_ms": ("first ms", ".1f"),
    "median_ms": ("median ms", ".2f"),
    "p90_ms": ("p90 ms", ".2f"),
    "min_ms": ("min ms", ".2f"),
    "us_per_pixel": ("us/pixel", ".2f"),
    "peak_mb": ("peak MB", ".0f"),
    "photo_mp_s": ("photo Mpixel/s", ".3f"),
}


@dataclass(frozen=True)
class HostBenchmark:
    """What this machine measured.

    Attributes:
        machine: processor and cores.
        runtime: LiteRT's version.
        rows: one a file and setting.
        version: of this schema.
    """

    machine: str
    runtime: str
    rows: tuple[HostRun, ...]
    version: int = REPORT_VERSION

    @property
    def problems(self) -> tuple[str, ...]:
        """Why rows have no result."""
        return problems_of(self.rows)

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_csv(self) -> str:
        """One line a row."""
        return as_csv(self.rows, [f.name for f in fields(HostRun)])

    def as_text(self) -> str:
        """A table and the problems."""
        table = as_table(f"{self.machine}, ai-edge-litert {self.runtime}", self.rows, _COLUMNS)
        return "\n\n".join([table, *(f"problem  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class HostJob:
    """What to measure.

    Attributes:
        files: .tflite and .onnx files.
        threads: CPU threads to try.
        tiles: (height, width) to try, low-resolution pixels; None in it is the file's own.
        runs: timed runs of each.
        photo: a photo to upscale from file to file, at the tile of each setting.
        gpu: measure the GPU too, in half and in single precision, at the file's own tile.
        said: of the values that the files take, where they are not to be measured; for the photo.
    """

    files: Sequence[Path]
    threads: Sequence[int] = (1,)
    tiles: Sequence[tuple[int, int] | None] = (None,)
    runs: int = 20
    photo: Path | None = None
    gpu: bool = False
    said: Said = NOTHING_SAID

    def __post_init__(self) -> None:
        refuse_below_one(self.runs, self.threads)


def refuse_below_one(runs: int, threads: Sequence[int]) -> None:
    """Raises ModelError for numbers of runs and threads that cannot be."""
    for name, value in (("`runs`", runs), *(("`threads`", count) for count in threads)):
        if value < 1:
            raise ModelError(f"{name} {value}: give 1 or more")


def has_free_size(file: Path) -> bool:
    """Whether a file takes pictures of any height or width: then the size that it stores, mostly 1x1, says nothing.

    Raises:
        ModelError: the file cannot be read.
    """
    if file.suffix.lower() == ".onnx":
        from conversion.engines.onnx_proof import prove_onnx

        return prove_onnx(file).resizable
    from conversion.tflite.check import read_checked

    graph = read_checked(file)[1].subgraphs[0]
    signatures = [graph.tensors[index].shapeSignature for index in graph.inputs]
    return any(-1 in list(signature) for signature in signatures if signature is not None)


def benchmark_on_host(job: HostJob, progress: Callable[[int, int], None] = lambda done, total: None) -> HostBenchmark:
    """Measures every file at every setting, one after another.

    Args:
        job: what to measure.
        progress: told (done, total) after every setting.

    Raises:
        ModelError: a file cannot be read or run, or there is no GPU to measure.
        ImageError: the photo cannot be read.
    """
    from importlib.metadata import version

    from conversion.upscaling.images import ImageReader

    for file in job.files:
        if has_free_size(file) and None in job.tiles:
            what = "takes pictures of any size, and has none of its own"
            raise ModelError(f"{file}: {what}: say at which to measure it, such as `tiles` 128x128")
    if job.photo is not None:
        ImageReader(job.photo)
    total = len(job.files) * (len(job.threads) * len(job.tiles) + (2 if job.gpu else 0))
    rows: list[HostRun] = []
    for file in job.files:
        for row in _rows(file, job):
            rows.append(row)
            progress(len(rows), total)
    return HostBenchmark(_machine(), version("ai-edge-litert"), tuple(rows))


def _rows(file: Path, job: HostJob) -> Iterator[HostRun]:
    if job.gpu:  # first: where there is no GPU nothing was measured in vain
        from conversion.measuring.benchmark.gpu import benchmark_gpu

        yield from benchmark_gpu(file, job.runs)
    for tile in job.tiles:
        for threads in job.threads:
            yield _on_cpu(file, threads, tile, job)


def _on_cpu(file: Path, threads: int, tile: tuple[int, int] | None, job: HostJob) -> HostRun:
    setting = [str(file), threads, tile, job.runs, job.photo and str(job.photo), [job.said.range, job.said.order]]
    limit_s = RUN_LIMIT_S * (job.runs + 2) + PHOTO_LIMIT_S * (job.photo is not None)
    try:
        facts = call(Task("conversion.measuring.benchmark.worker:measure", setting, limit_s, ModelError))
        return HostRun(str(file), _engine_of(file), threads, **facts)
    except MobileSRError as error:
        shown = "own" if tile is None else f"{tile[0]}x{tile[1]}"
        return HostRun(str(file), _engine_of(file), threads, shown, problem=f"tile {shown}: {error}")


def _engine_of(file: Path) -> str:
    return "onnxruntime" if file.suffix.lower() == ".onnx" else "cpu"


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    busy = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores{busy}"
