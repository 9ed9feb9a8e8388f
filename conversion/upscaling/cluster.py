"""Upscales millions of photos on many machines: Dask maps `upscale_file`, which `mobile-sr upscale` uses too, over a listing.

The listing is read in parts, by the workers, which see the same folders under the same names. SOURCE/a/b.jpg becomes
TARGET/a/b.jpg.png; outputs that exist are skipped, so the same command goes on after anything.
"""

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
        self.engine = ModelSource.of(self.model).engine(self.threads)


def upscale_part(lines: Iterable[str], job: Job) -> dict[str, Any]:
    """Upscales the photos of a part of the listing, in a worker: how many are done and skipped, and (photo, reason) of each that failed."""
    plugin: Any = get_worker().plugins[OpenEngine.name]
    engine = plugin.engine
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
        except Exception as error:  # one photo's failure is that photo's, whatever a decoder has come upon
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


def upscale_on_cluster(
    listing: Path, job: Job, model: str, scheduler: str | None, threads: int, failures: Path, part_bytes: int
) -> dict[str, int]:
    """Connects to a cluster, or starts workers on this machine, and has it upscale a listing.

    Args:
        listing: file of one path a line, relative to the job's source.
        job: where from and where to.
        model: preset name or model file, as seen by the workers.
        scheduler: address of a Dask scheduler; None starts one worker a core here.
        threads: CPU threads of each worker process.
        failures: gets one JSON line for each photo that failed.
        part_bytes: of the listing that one task reads.

    Returns:
        "done", "skipped" and "failed" photos.

    Raises:
        MobileSRError: an output's ending that nothing writes, a model or listing that cannot be read, a scheduler that is gone.
    """
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a traceback for what is said in one line
    check_writable(job.target / f"any{job.suffix}", ImageKind(1, 1, 3, False, 8))
    ModelSource.of(model).tflite()
    try:
        with Client(scheduler) if scheduler else Client(threads_per_worker=1) as client:
            client.register_plugin(OpenEngine(model, threads))
            return upscale_listing(client, listing, job, failures, part_bytes)
    except OSError as error:
        raise MobileSRError(f"the cluster: {error}: check `scheduler`") from None
