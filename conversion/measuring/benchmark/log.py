"""What TFLite's `benchmark_model` printed: times, delegates, memory and the operator profile, from the binary's output or a logcat.

Line formats follow the tool's sources (tensorflow/lite/tools/benchmark, tensorflow/lite/profiling) of 2020 to 2026: older
builds print most lines bare, newer ones behind "INFO: ", logcat puts date, process and tag before each.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_PREFIX = re.compile(r"^(?:\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ [VDIWEF] [^:]*: )?(?:(?:INFO|WARN|WARNING|ERROR|VERBOSE): )?")
_SETTING = re.compile(r"^([A-Z#][^:\[\]]*): \[(.*)\]$")
_NUMBER = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?)"
_DELEGATED = re.compile(r"^Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \((\w+)\) node, yielding (\d{1,9}) partitions")
_APPLIED = re.compile(r"^(?:Explicitly applied|Though) \w+ delegate.* will (be completely|be partially|not be) executed by the delegate")
_BACKEND = re.compile(r"^Initialized (OpenCL|OpenGL|Vulkan|WebGPU)-based API")
_REFUSED = re.compile(r"^([A-Z][A-Z0-9_]+): (.*(?:not supported|isn't compatible|Not supported).*)$")
_TIMINGS = re.compile(
    rf"^Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}$"
)
_FOOTPRINT = re.compile(rf"^(?:Memory footprint delta.*|Peak memory footprint) \(MB\): init={_NUMBER} overall={_NUMBER}$")
_PEAK = re.compile(rf"^Overall peak memory footprint \(MB\) via periodic monitoring: {_NUMBER}$")
_COUNT = re.compile(r"^count=(\d{1,9}) (?:first|curr)=")
_PROFILES = {
    "Profiling Info for Benchmark Initialization:": "initialization",
    "Operator-wise Profiling Info for Regular Benchmark Runs:": "inference",
    "Delegate internal:": "delegate",
}


@dataclass(frozen=True)
class Runs:
    """Statistics of a series of runs, microseconds; what a build does not print is None.

    Attributes:
        count: runs.
        first: the first run.
        minimum: the fastest.
        maximum: the slowest.
        average: mean.
        median: newer builds only.
        p95: newer builds only.
    """

    count: int
    first: float | None
    minimum: float | None
    maximum: float | None
    average: float | None
    median: float | None
    p95: float | None


@dataclass(frozen=True)
class Delegation:
    """How much of the graph a delegate took.

    Attributes:
        delegate: its name, such as "TfLiteXNNPackDelegate".
        nodes: taken.
        of: nodes in the graph.
        partitions: pieces that the graph is left in.
    """

    delegate: str
    nodes: int
    of: int
    partitions: int


@dataclass(frozen=True)
class OpTime:
    """One operator of the profile.

    Attributes:
        kind: such as "CONV_2D".
        name: the operator's output and index.
        average_ms: a run's.
        share: percent of the block that it stands in.
        part: "initialization", "inference" or "delegate" (inside of one).
    """

    kind: str
    name: str
    average_ms: float
    share: float
    part: str


@dataclass
class BenchmarkLog:
    """Everything found in one output; what was not there is None or empty.

    Attributes:
        settings: flag's description -> value, as the tool repeats them ("Num threads" -> "4").
        delegations: in their order.
        applied: "completely", "partially" or "not", what the tool says of the delegate that it was asked for.
        backend: "OpenCL", "OpenGL", "Vulkan" or "WebGPU".
        refused: operator -> the delegate's reason.
        init_us: until the model was ready, microseconds.
        first_us: first run.
        average_us: mean of the runs.
        warm_up: statistics of the warm-up.
        runs: statistics of the runs.
        init_mb: memory for the model, megabytes.
        overall_mb: memory at the end.
        peak_mb: by periodic monitoring, where that was asked for.
        ops: the operator profile in running order.
    """

    settings: dict[str, str] = field(default_factory=dict)
    delegations: list[Delegation] = field(default_factory=list)
    applied: str | None = None
    backend: str | None = None
    refused: dict[str, str] = field(default_factory=dict)
    init_us: float | None = None
    first_us: float | None = None
    average_us: float | None = None
    warm_up: Runs | None = None
    runs: Runs | None = None
    init_mb: float | None = None
    overall_mb: float | None = None
    peak_mb: float | None = None
    ops: list[OpTime] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """True if the tool came to its last line of times."""
        return self.average_us is not None


def parse_log(text: str) -> BenchmarkLog:
    """Reads an output of any age; lines that it does not know are passed over.

    Args:
        text: standard output and standard error together, or `logcat -d`.
    """
    log = BenchmarkLog()
    series = []
    lines = [_PREFIX.sub("", line.rstrip()) for line in text.splitlines()]
    for line in lines:
        _read_line(log, line)
        if match := _COUNT.match(line):
            series.append(_runs(line, int(match[1])))
    log.ops = list(_operators(lines))
    if series:
        log.runs = series[-1]
        log.warm_up = series[-2] if len(series) > 1 else None
    return log


def _read_line(log: BenchmarkLog, line: str) -> None:
    if match := _TIMINGS.match(line):
        log.init_us, log.first_us, _, log.average_us = map(float, match.groups())
    elif match := _DELEGATED.match(line):
        log.delegations.append(Delegation(match[3], int(match[1]), int(match[2]), int(match[4])))
    elif match := _APPLIED.match(line):
        log.applied = match[1].removeprefix("be ").removesuffix(" be")
    elif match := _BACKEND.match(line):
        log.backend = match[1]
    elif match := _REFUSED.match(line):
        log.refused[match[1]] = match[2]
    elif match := _FOOTPRINT.match(line):
        log.init_mb, log.overall_mb = map(float, match.groups())
    elif match := _PEAK.match(line):
        log.peak_mb = float(match[1])
    elif match := _SETTING.match(line):
        log.settings[match[1]] = match[2]


def _runs(line: str, count: int) -> Runs:
    values = dict(re.findall(rf"(\w+)={_NUMBER}", line))

    def value(key: str) -> float | None:
        return float(values[key]) if key in values else None

    # A single run prints only its "curr".
    only = value("curr") if count == 1 else None
    keys = ("first", "min", "max", "avg", "median", "p95")
    return Runs(count, *(only if value(key) is None else value(key) for key in keys))


def _operators(lines: list[str]) -> Iterator[OpTime]:
    """The rows of every "Run Order" table; columns are found by the table's own header, tab-separated or CSV."""
    part, columns, separator = None, None, "\t"
    in_order = False
    for line in lines:
        if line.strip() in _PROFILES:
            part, columns = _PROFILES[line.strip()], None
        elif line.startswith("=====") or not line.strip():
            in_order, columns = "Run Order" in line, None
        elif in_order and columns is None:
            separator = "\t" if "\t" in line else ","
            columns = [_column(cell) for cell in _cells(line, separator)]
        elif in_order and part is not None and columns is not None:
            cells = dict(zip(columns, _cells(line, separator, len(columns))))
            try:
                share = float(cells["%"].rstrip("%"))
                yield OpTime(cells["node type"], cells["name"], float(cells["avg ms"]), share, part)
            except (KeyError, ValueError):  # cut off, or not a row after all
                continue


def _cells(line: str, separator: str, most: int = 0) -> list[str]:
    line = line.removeprefix("\t") if separator == "\t" else line
    return [cell.strip() for cell in line.split(separator, most - 1 if most else -1)]  # a name may hold the separator


def _column(cell: str) -> str:
    return cell.strip("[] ").replace("_", " ").lower()
