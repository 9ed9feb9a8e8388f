"""How fast a .tflite runs on a connected phone: TFLite's own `benchmark_model`, pushed and started through adb.

A GPU that was asked for and did not run everything is a failure with its reason, never a number: the tool itself ends with
status 0 when the delegate took nothing and all ran on the CPU.
"""

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from conversion.measuring.benchmark.adb import AdbError, Answer, Phone
from conversion.measuring.benchmark.host import has_free_size, refuse_below_one
from conversion.measuring.benchmark.log import BenchmarkLog, Delegation, OpTime, parse_log
from conversion.measuring.benchmark.result_table import as_csv, as_table, problems_of
from keras_models.system.errors import ModelError

FOLDER = PurePosixPath("/data/local/tmp/mobile-sr")  # where adb may write and run programs
BINARY = FOLDER / "benchmark_model"
RUN_LIMIT_S = 600.0
PAUSE_S = 30.0
REPORT_VERSION = 1
ENGINES = {
    "cpu": "--use_xnnpack=false",
    "xnnpack": "--use_xnnpack=true",
    "xnnpack-fp16": "--use_xnnpack=true --xnnpack_force_fp16=true",
    "gpu": "--use_gpu=true --gpu_precision_loss_allowed=true --use_xnnpack=false",
    "gpu-fp32": "--use_gpu=true --gpu_precision_loss_allowed=false --use_xnnpack=false",
}
"""Name of an engine -> the flags that ask for it; "gpu" may compute in half precision, as apps do."""


@dataclass(frozen=True)
class PhoneRun:
    """One file on one engine.

    Attributes:
        file: the .tflite's name.
        engine: a key of `ENGINES`.
        threads: CPU threads, None on the GPU.
        init_ms: until the model was ready, milliseconds.
        first_ms: first run.
        median_ms: None where the tool's build does not print it.
        p95_ms: as median_ms.
        min_ms: fastest run.
        average_ms: mean.
        runs: number of runs.
        memory_mb: the process' peak where the tool prints one, else how much it grew, megabytes.
        backend: of the GPU: "OpenCL" or "OpenGL".
        delegation: what each delegate took.
        ops: operator profile, where it was asked for.
        problem: why there is no result, None if there is one.
    """

    file: str
    engine: str
    threads: int | None
    init_ms: float | None = None
    first_ms: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    min_ms: float | None = None
    average_ms: float | None = None
    runs: int | None = None
    memory_mb: float | None = None
    backend: str | None = None
    delegation: tuple[Delegation, ...] = ()
    ops: tuple[OpTime, ...] = ()
    problem: str | None = None


_COLUMNS = {
    "file": ("file", ""),
    "engine": ("engine", ""),
    "threads": ("threads", "d"),
    "init_ms": ("init ms", ".1f"),
    "first_ms": ("first ms", ".1f"),
    "median_ms": ("median ms", ".1f"),
    "p95_ms": ("p95 ms", ".1f"),
    "min_ms": ("min ms", ".1f"),
    "average_ms": ("average ms", ".1f"),
    "runs": ("runs", "d"),
    "memory_mb": ("memory MB", ".0f"),
    "backend": ("GPU API", ""),
}
_OP_COLUMNS = {"kind": ("operator", ""), "average_ms": ("ms", ".3f"), "share": ("%", ".1f"), "part": ("where", ""), "name": ("name", "")}


@dataclass(frozen=True)
class PhoneBenchmark:
    """What a phone measured.

    Attributes:
        device: maker, model, chip, Android version.
        tool: the benchmark_model binary's name; another build can differ by a factor of two on the same phone.
        rows: one a file and engine.
        version: of this schema.
    """

    device: str
    tool: str
    rows: tuple[PhoneRun, ...]
    version: int = REPORT_VERSION

    @property
    def problems(self) -> tuple[str, ...]:
        """Why rows have no result."""
        return problems_of(self.rows)

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_csv(self) -> str:
        """One line a row, without the operator profile."""
        return as_csv(self.rows, [f.name for f in fields(PhoneRun) if f.name not in ("delegation", "ops")])

    def as_text(self) -> str:
        """A table, the operator profiles, the problems."""
        parts = [as_table(f"{self.device} ({self.tool})", self.rows, _COLUMNS)]
        for row in self.rows:
            if row.ops:
                parts.append(as_table(f"{row.file} on {row.engine}, by operator", row.ops, _OP_COLUMNS))
        return "\n\n".join([*parts, *(f"problem  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class PhoneJob:
    """What to measure.

    Attributes:
        files: .tflite files.
        binary: TFLite's benchmark_model for the phone's processor.
        engines: keys of `ENGINES`.
        threads: CPU threads to try.
        runs: least number of runs of each.
        pause_s: seconds to wait between two measurements, so that the heat of one does not slow the next.
        profile: ask for the operator profile; it slows the runs a little.
    """

    files: Sequence[Path]
    binary: Path
    engines: Sequence[str] = ("xnnpack",)
    threads: Sequence[int] = (1,)
    runs: int = 20
    pause_s: float = PAUSE_S
    profile: bool = False

    def __post_init__(self) -> None:
        refuse_below_one(self.runs, self.threads)
        if not self.pause_s >= 0:
            raise ModelError(f"`pause` {self.pause_s}: give seconds, 0 or more")


def benchmark_on_phone(job: PhoneJob, phone: Phone, sleep: Callable[[float], None] = time.sleep) -> PhoneBenchmark:
    """Measures every file on every engine of a phone, and leaves nothing behind on it.

    Args:
        job: what to measure.
        phone: where.
        sleep: waits for a number of seconds.

    Raises:
        AdbError: the phone cannot be reached, has no room, or cannot run the binary.
        ModelError: a file or an engine that does not exist.
    """
    _check(job)
    device = phone.describe()
    rows: list[PhoneRun] = []
    try:
        phone.shell(f"mkdir -p {FOLDER}")
        phone.push(job.binary, str(BINARY))
        phone.shell(f"chmod 755 {BINARY}")
        for file in job.files:
            remote = FOLDER / re.sub(r"[^\w.-]", "_", file.name)
            phone.push(file, str(remote))
            for engine, threads in _combinations(job):
                if rows:
                    sleep(job.pause_s)
                rows.append(_measure(phone, job, file, remote, engine, threads))
            phone.shell(f"rm -f {remote}")
    finally:
        _clean(phone)
    return PhoneBenchmark(device, job.binary.name, tuple(rows))


def _clean(phone: Phone) -> None:
    try:
        phone.shell(f"rm -rf {FOLDER}")
    except AdbError:  # the phone is gone; whatever made it go has been reported or will be
        return


def _check(job: PhoneJob) -> None:
    for file in (*job.files, job.binary):
        if not file.is_file():
            raise ModelError(f"{file}: no such file: {'see docs/speed.md for benchmark_model' if file == job.binary else 'check the path'}")
    for file in job.files:
        if _has_free_size(file):
            raise ModelError(f"{file}: takes pictures of any size, and benchmark_model would run it at 1x1: convert it with a `tile`")
    for engine in job.engines:
        if engine not in ENGINES:
            raise ModelError(f"`engines` {engine}: give {', '.join(ENGINES)}")


def _has_free_size(file: Path) -> bool:
    try:
        return has_free_size(file)
    except ModelError:  # a damaged file is the phone's to refuse
        return False


def _combinations(job: PhoneJob) -> list[tuple[str, int | None]]:
    """Engines with their numbers of CPU threads; the GPU has none."""
    return [(e, t) for e in job.engines for t in ((None,) if e.startswith("gpu") else job.threads)]


def _measure(phone: Phone, job: PhoneJob, file: Path, remote: PurePosixPath, engine: str, threads: int | None) -> PhoneRun:
    flags = [f"--graph={remote}", f"--num_runs={job.runs}", *ENGINES[engine].split()]
    if threads is not None:
        flags.append(f"--num_threads={threads}")
    if job.profile:
        flags.append("--enable_op_profiling=true")
    answer = phone.shell(f"{BINARY} {shlex.join(flags)}", RUN_LIMIT_S)
    if answer.status in (126, 127):
        last = answer.text.strip().splitlines()[-1:] or ["it cannot be started"]
        raise AdbError(f"{job.binary}: the phone cannot run it ({last[0]}): give `binary` the build for its processor, mostly arm64")
    log = parse_log(answer.text)
    problem = _problem(answer, log, engine)
    if problem is not None:
        return PhoneRun(file.name, engine, threads, delegation=tuple(log.delegations), backend=log.backend, problem=problem)
    return _row(file.name, engine, threads, log)


def _row(file: str, engine: str, threads: int | None, log: BenchmarkLog) -> PhoneRun:
    runs = log.runs
    return PhoneRun(
        file=file,
        engine=engine,
        threads=threads,
        init_ms=_ms(log.init_us),
        first_ms=_ms(log.first_us),
        median_ms=_ms(runs.median if runs else None),
        p95_ms=_ms(runs.p95 if runs else None),
        min_ms=_ms(runs.minimum if runs else None),
        average_ms=_ms(log.average_us),
        runs=runs.count if runs else None,
        memory_mb=log.peak_mb or log.overall_mb,
        backend=log.backend,
        delegation=tuple(log.delegations),
        ops=tuple(op for op in log.ops if op.part != "initialization"),
    )


def _ms(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


def _problem(answer: Answer, log: BenchmarkLog, engine: str) -> str | None:
    """Why this output is no measurement of the engine that was asked for."""
    ended = {137: "the phone's system killed it (out of memory): use a smaller tile", 139: "it crashed (segmentation fault)"}
    if answer.status in ended or answer.status == 134:
        return ended.get(answer.status, "it aborted")
    if "Disallowed CPU fallback" in answer.text:
        return "the GPU delegate refused a part of the graph"
    if answer.status or not log.finished:
        errors = re.findall(r"^(?:.*: )?ERROR: (.*)$", answer.text, re.MULTILINE)
        reason = [e for e in errors if "Benchmarking failed" not in e] or answer.text.strip().splitlines()[-1:] or ["it printed nothing"]
        return f"benchmark_model failed: {reason[0].strip()}"
    return _not_on_gpu(log) if engine.startswith("gpu") else None


def _not_on_gpu(log: BenchmarkLog) -> str | None:
    """Why a run that finished was not one of the whole graph on the GPU."""
    refused = f" ({', '.join(f'{op}: {why}' for op, why in log.refused.items())})" if log.refused else ""
    taken = [d for d in log.delegations if "Gpu" in d.delegate]
    if log.applied == "completely" or (log.applied is None and any(d.nodes == d.of for d in taken)):
        return None
    if log.applied == "partially" or taken:
        share = f", {taken[0].nodes} of {taken[0].of} operations" if taken else ""
        return f"only a part of the graph ran on the GPU{share}{refused}"
    if log.applied == "not":
        return f"all of it ran on the CPU although the GPU was asked for{refused}"
    return "the output does not say whether the GPU ran it: use a newer benchmark_model"
