r"""Upscales millions of photos on many machines: Dask maps `upscale_file`, which `mobile-sr upscale` uses too, over a listing.

    python scripts/upscale_many.py LISTING SOURCE TARGET --scheduler tcp://HOST:8786

LISTING has one path a line, relative to SOURCE (`find SOURCE -type f -printf '%P\n'`). It is read in parts, by the workers, which see the
same folders under the same names. SOURCE/a/b.jpg becomes TARGET/a/b.jpg.png; outputs that exist are skipped, so the same command goes on
after anything. Exit status 0, or 2 if a photo failed. docs/many-machines.md has the whole recipe.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.bag
from dask.distributed import Client, Worker, WorkerPlugin, as_completed, get_worker

from conversion.engines.whole_image import open_engine
from conversion.source import ModelSource
from conversion.upscaling.image_writers import check_writable
from conversion.upscaling.images import ImageKind
from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from keras_models.system.errors import ImageError, MobileSRError, one_line


@dataclass(frozen=True)
class Job:
    """Where photos come from and go to; `suffix` is the ending of the outputs, which names their format."""

    source: Path
    target: Path
    suffix: str

    def output(self, name: str) -> Path:
        """A photo's output; it keeps the photo's own ending, since a part of a listing cannot know whether a.tif lies beside a.jpg."""
        return self.target / f"{name}{self.suffix}"


class OpenEngine(WorkerPlugin):
    """Opens the network once in every worker process, those that join later included."""

    name = "mobile-sr"

    def __init__(self, model: str, threads: int) -> None:
        self.model, self.threads = model, threads

    def setup(self, worker: Worker) -> None:
        """Dask calls it in the worker."""
        self.engine = open_engine(ModelSource.of(self.model).tflite(), self.threads)


def upscale_part(lines: Iterable[str], job: Job) -> dict[str, Any]:
    """Upscales the photos of a part of the listing, in a worker: how many are done and skipped, and (photo, reason) of each that failed."""
    engine = get_worker().plugins[OpenEngine.name].engine
    found: dict[str, Any] = {"done": 0, "skipped": 0, "failed": []}
    for name in filter(None, (line.rstrip("\n") for line in lines)):
        output = job.output(name)
        if os.path.exists(output):  # False for a name that is too long, which upscale_file refuses
            found["skipped"] += 1
            continue
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            upscale_file(job.source / name, output, engine, UpscaleOptions(overwrite=True))
            found["done"] += 1
        except (MobileSRError, OSError) as error:
            found["failed"].append((name, one_line(error, 500)))
    return found


def upscale_listing(client: Client, listing: Path, job: Job, failures: Path, part_bytes: int) -> dict[str, int]:
    """Has the workers upscale a listing; one JSON line in `failures` for each photo that failed.

    A part whose worker dies is given to another one. One that kills four workers is taken apart, and what then still kills its
    worker is tried alone, so that no photo is blamed for what ran beside it.
    """
    if not listing.is_file() or not listing.stat().st_size:
        raise ImageError(f"{listing}: no such listing, or nothing in it: write one path a line")
    total = {"done": 0, "skipped": 0, "failed": 0}
    with failures.open("w") as file:

        def take(found: dict[str, Any]) -> None:
            file.writelines(json.dumps({"photo": name, "reason": reason}) + "\n" for name, reason in found["failed"])
            file.flush()
            for key in ("done", "skipped"):
                total[key] += found[key]
            total["failed"] += len(found["failed"])

        parts = dask.bag.read_text(str(listing.resolve()), blocksize=part_bytes, errors="surrogateescape").to_delayed()
        broken = _run(client, parts, job, take)
        broken = _run(client, [[line] for part, _ in broken for line in part.compute(scheduler="sync")], job, take)
        for suspect, _ in broken:
            for (line,), error in _run(client, [suspect], job, take):
                take({"done": 0, "skipped": 0, "failed": [(line.rstrip("\n"), f"its worker broke down: {one_line(error)}")]})
    return total


def _run(client: Client, parts: list[Any], job: Job, take: Callable[[dict[str, Any]], None]) -> list[tuple[Any, Exception]]:
    """Runs parts, lists of lines or what Dask will make them of; gives each result to `take`, and back the parts that have none."""
    to_go = dict(zip(client.compute([dask.delayed(upscale_part)(part, job) for part in parts]), parts))
    broken = []
    for future in as_completed(list(to_go)):
        part = to_go.pop(future)
        try:
            take(future.result())
        except CancelledError:
            raise MobileSRError("the scheduler is gone: start it and its workers, then the same command again") from None
        except Exception as error:  # whatever stopped the worker or its code
            broken.append((part, error))
        sys.stderr.write(f"{len(to_go)} of {len(parts)} parts to go\n")
    return broken


def main() -> int:
    """Parses the command line and runs the job; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listing", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--scheduler", help="address of a Dask scheduler; without it workers are started on this machine, one a core")
    parser.add_argument("--model", default="lkdn-s-x4", help="preset name or model file, as seen by the workers")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each worker process")
    parser.add_argument("--suffix", default=".png", help="ending of the outputs, which names their format")
    parser.add_argument("--failures", type=Path, default=Path("failures.jsonl"), help="file for the photos that failed, one JSON line each")
    parser.add_argument("--part-bytes", type=int, default=8192, help="of the listing that one task reads: a hundred photos or so")
    a = parser.parse_args()
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a traceback for what is said below in one line
    try:
        check_writable(a.target / f"any{a.suffix}", ImageKind(1, 1, 3, False, 8))
        ModelSource.of(a.model).tflite()
        job = Job(a.source.resolve(), a.target.resolve(), a.suffix)
        with Client(a.scheduler) if a.scheduler else Client(threads_per_worker=1) as client:
            client.register_plugin(OpenEngine(a.model, a.threads))
            total = upscale_listing(client, a.listing, job, a.failures, a.part_bytes)
    except (MobileSRError, OSError) as error:
        sys.stderr.write(f"upscale_many: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(f"{a.target}: {total['done']} upscaled, {total['skipped']} skipped, {total['failed']} failed\n")
    return 2 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
