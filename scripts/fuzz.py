"""Tries every reader of outside files with spoilt ones: no crash, no hang, no traceback, no flood of memory, one clear line.

    nice python scripts/fuzz.py --trials 10000 --seed 16 --out /tmp/fuzz        # all readers, as recorded in docs/hardening.md
    python scripts/fuzz.py tflite png onnx=40 --trials 300                      # some of them, one with fewer trials
    python scripts/fuzz.py --out /tmp/fuzz --replay tflite:1234                 # one trial again, with its traceback

A trial spoils a good file (`fuzz_mutations.py`, drawn from the seed, the reader's name and the trial's number), or makes one that asks
for much (`fuzz_structured.py`), and reads it as the command does (`fuzz_readers.py`). It passes if the file is read, or refused by a
`MobileSRError` of one line. Anything else is a finding: another exception, a dead process, a hang (more than 10 s of the processor, or
5 minutes by the clock), more than 2 GB of memory. Findings and their files are kept in the folder of `--out`; the exit status is 1 if
there are any. What native libraries say on standard error is counted, and is no finding.

The trials of a reader run in processes that are forked after the heavy imports; one that dies or hangs costs only a fork.
"""

import argparse
import importlib
import json
import os
import random
import resource
import select
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from fuzz_readers import READERS, Reader, spoilt_file  # noqa: E402
from fuzz_structured import structured  # noqa: E402

from keras_models.system.errors import MobileSRError, ModelError  # noqa: E402
from keras_models.system.forks import Fork, Say  # noqa: E402
from keras_models.system.processes import Task, call  # noqa: E402

SEED = 16
HANG_S, STUCK_S = 10.0, 300.0
MEMORY_BYTES = 2 << 30
SEEDS_S = 3600.0
"""For making the good files, of which some are converted networks; what takes longer hangs."""
SAVED_EVERY_S = 15.0


@dataclass
class Outcome:
    """What became of a reader's trials.

    Attributes:
        reader: its name.
        seed: of the run.
        trials: run.
        read: files that were read in spite of their mutations.
        refused: files that were refused with one line.
        findings: (trial, kind, text) of all others.
        slowest_s: seconds by the clock of the slowest trial.
        spoke: trials in which a library wrote to standard error.
        largest_mb: resident memory of the largest process, libraries included.
        seconds: in all.
    """

    reader: str
    seed: int
    trials: int = 0
    read: int = 0
    refused: int = 0
    findings: list[tuple[int, str, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    spoke: int = 0
    largest_mb: float = 0.0
    seconds: float = 0.0


def fuzz(name: str, trials: int, seed: int, out: Path, workers: int = 2) -> Outcome:
    """Runs the trials of one reader.

    Args:
        name: a key of `READERS`.
        trials: how many.
        seed: of all chance.
        out: folder for good files, scratch and findings.
        workers: processes at a time.
    """
    begun, reader, outcome = time.monotonic(), READERS[name], Outcome(name, seed)
    folder = out / name
    for module in reader.imports:
        importlib.import_module(module)
    running = [_Worker(name, seed, range(first, trials, workers), folder) for first in range(workers)]
    while running:
        pipes = {worker.fork.pipe: worker for worker in running}
        for pipe in select.select(list(pipes), [], [], 0.5)[0]:
            pipes[pipe].take(outcome)
        for worker in list(running):
            if worker.hangs():
                worker.kill()
            if worker.fork.status is not None:
                running.remove(worker)
                _judge_end(worker, outcome)
                if worker.left:
                    running.append(_Worker(name, seed, worker.left, folder))
        if time.monotonic() - begun - outcome.seconds > SAVED_EVERY_S or not running:
            outcome.seconds = time.monotonic() - begun
            _keep(outcome, reader, folder)
    return outcome


def make_seeds(names: list[str], out: Path) -> None:
    """Makes the good files that are not there, in a process of its own: TensorFlow does not survive a fork after it was used."""
    missing = [name for name in names if not (out / name / "seeds.json").exists()]
    if missing:
        call(Task("scripts.fuzz:write_seeds", [missing, str(out.absolute())], SEEDS_S, lambda how: ModelError(f"the good files: {how}")))


def _seeds(folder: Path) -> list[Path]:
    return [Path(path) for path in json.loads((folder / "seeds.json").read_text())]


def write_seeds(names: list[str], out: str) -> None:
    """Makes the good files of readers, in this process."""
    for name in names:
        seeds = Path(out) / name / "seeds"
        shutil.rmtree(seeds, ignore_errors=True)
        seeds.mkdir(parents=True)
        paths = READERS[name].seeds(seeds)
        (seeds.parent / "seeds.json").write_text(json.dumps([str(path) for path in paths]))


def trial_file(name: str, seed: int, trial: int, folder: Path) -> bytes:
    """The spoilt file of a trial."""
    dice = random.Random(f"{seed}:{name}:{trial}")
    made = structured(name, dice)
    return spoilt_file(READERS[name], _seeds(folder), dice) if made is None else made


class _Worker:
    """A process that runs trials and says which one it is at."""

    def __init__(self, name: str, seed: int, trials: range, folder: Path) -> None:
        self.left, self.trial, self.since, self.used = trials, None, 0.0, 0.0
        self.fork = Fork(lambda say: _work(name, seed, trials, folder, say))

    def take(self, outcome: Outcome) -> None:
        """Reads what the process said."""
        for message in self.fork.read(0.0):
            if "begins" in message:
                self.trial, self.since, self.used = message["begins"], time.monotonic(), _processor_s(self.fork.pid)
                continue
            outcome.spoke += bool(message["words"])
            outcome.slowest_s = max(outcome.slowest_s, message["seconds"])
            outcome.largest_mb = max(outcome.largest_mb, message["memory"] / 1e6)
            self.advance(outcome, message["kind"], message["text"])

    def advance(self, outcome: Outcome, kind: str, text: str) -> None:
        """Counts the running trial."""
        assert self.trial is not None
        outcome.trials += 1
        outcome.read += kind == "read"
        outcome.refused += kind == "refused"
        if kind not in ("read", "refused"):
            outcome.findings.append((self.trial, kind, text))
        self.left, self.trial = self.left[1:], None

    def hangs(self) -> bool:
        """Whether the running trial takes too long: by the processor's time, because the machine may be busy with something else."""
        past = time.monotonic() - self.since
        return self.trial is not None and past > HANG_S and (past > STUCK_S or _processor_s(self.fork.pid) - self.used > HANG_S)

    def kill(self) -> None:
        self.fork.kill()
        self.since = float("inf")


def _processor_s(root: int) -> float:
    """Seconds of a process and all below it."""
    ticks, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks[int(entry.name)], parents[int(entry.name)] = sum(map(int, fields[11:15])), int(fields[1])
    tree, before = {root}, 0
    while len(tree) > before:
        before, tree = len(tree), tree | {pid for pid, parent in parents.items() if parent in tree}
    return sum(ticks.get(pid, 0) for pid in tree) / os.sysconf("SC_CLK_TCK")


def _judge_end(worker: _Worker, outcome: Outcome) -> None:
    if worker.trial is None:
        assert worker.fork.status == 0, f"{outcome.reader}: the process of the trials died between two of them: {worker.fork.status}"
    elif worker.since == float("inf"):
        worker.advance(outcome, "hang", f"over {HANG_S:g} s of the processor or {STUCK_S:g} s")
    else:
        worker.advance(outcome, "crash", f"status {worker.fork.status}")


def _work(name: str, seed: int, trials: range, folder: Path, say: Say) -> None:
    """The process of the trials."""
    try:
        work = Path(tempfile.mkdtemp(dir=folder, prefix="work-"))
        said = os.open(work / "said", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for trial in trials[: READERS[name].trials_a_process]:
            path = work / f"trial{READERS[name].suffix}"
            path.write_bytes(trial_file(name, seed, trial, folder))
            say({"begins": trial})
            os.ftruncate(said, 0)
            begun = time.monotonic()
            kind, text = _attempt(READERS[name], path, work)
            memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024
            words = (work / "said").read_text(errors="replace").strip()
            if memory > MEMORY_BYTES:
                kind, text = "memory", f"{memory / 1e9:.1f} GB"
            seconds = time.monotonic() - begun
            say({"kind": kind, "text": text, "seconds": seconds, "memory": memory, "words": bool(words)})
            if kind == "memory":
                break
        shutil.rmtree(work, ignore_errors=True)
    except BaseException:
        (folder / f"worker-error-{os.getpid()}.txt").write_text(traceback.format_exc())
        raise


def _attempt(reader: Reader, path: Path, work: Path) -> tuple[str, str]:
    try:
        scratch = work / "scratch"
        scratch.mkdir(exist_ok=True)
        reader.trial(path, scratch)
    except MobileSRError as error:
        text = str(error)
        return ("refused" if "\n" not in text and 0 < len(text) < 3000 else "lines"), text[:600]
    except BaseException:
        lines = traceback.format_exc().strip().splitlines()
        ours = [line.strip() for line in lines if "conversion/" in line or "keras_models/" in line or "scripts/" in line]
        return "traceback", f"{lines[-1][:200]} <- {' <- '.join(ours[:-6:-1])}"
    return "read", ""


def _keep(outcome: Outcome, reader: Reader, folder: Path) -> None:
    """Writes the findings and their files."""
    for trial, _, _ in outcome.findings[:200]:
        (folder / f"finding-{trial}{reader.suffix}").write_bytes(trial_file(outcome.reader, outcome.seed, trial, folder))
    (folder / "outcome.json").write_text(json.dumps(vars(outcome), indent=1))


def _show(outcome: Outcome) -> None:
    kinds = Counter(kind for _, kind, _ in outcome.findings)
    print(  # noqa: T201
        f"{outcome.reader:12} {outcome.trials:6} trials: {outcome.read} read, {outcome.refused} refused, "
        f"{len(outcome.findings)} findings {dict(kinds) or ''}; "
        f"{outcome.spoke} with words of a library; slowest {outcome.slowest_s:.1f} s, "
        f"largest {outcome.largest_mb:.0f} MB, {outcome.seconds:.0f} s",
        flush=True,
    )
    places = Counter((kind, text.rsplit(" <- ", 3)[0] if kind == "traceback" else text[:60]) for _, kind, text in outcome.findings)
    first = {(kind, text.rsplit(" <- ", 3)[0] if kind == "traceback" else text[:60]): n for n, kind, text in outcome.findings[::-1]}
    for place, count in places.most_common(12):
        print(f"    {count:5} x {place[0]}, first trial {first[place]}: {place[1][:400]}", flush=True)  # noqa: T201


def main() -> None:
    """Runs the readers that the command line names one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", metavar="READER[=TRIALS]", help=f"default: all of {', '.join(READERS)}")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "mobile-sr-fuzz")
    parser.add_argument("--replay", metavar="READER:TRIAL")
    given = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    counts = {name: int(own or given.trials) for name, _, own in (word.partition("=") for word in given.readers or READERS)}
    names = list(counts)
    if unknown := counts.keys() - READERS.keys():
        parser.error(f"no such reader: {', '.join(unknown)}")
    if given.replay:
        name, _, trial = given.replay.partition(":")
        if name not in READERS or not trial.isdecimal():
            parser.error(f"--replay {given.replay}: give READER:TRIAL, for example png:296")
        make_seeds([name], given.out)
        folder = given.out / name / "replay"
        (folder / "scratch").mkdir(parents=True, exist_ok=True)
        path = folder / f"trial{READERS[name].suffix}"
        path.write_bytes(trial_file(name, given.seed, int(trial), folder.parent))
        READERS[name].trial(path, folder / "scratch")
    else:
        outcomes = []
        make_seeds(names, given.out)
        for name in names:
            outcomes.append(fuzz(name, counts[name], given.seed, given.out, given.workers))
            _show(outcomes[-1])
        sys.exit(any(outcome.findings for outcome in outcomes))


if __name__ == "__main__":
    main()
