"""`mobile-sr upscale-many`: a listing of photos on many machines."""

from pathlib import Path
from typing import Annotated

import typer

from keras_models.system.errors import MobileSRError


def upscale_many(
    listing: Annotated[Path, typer.Argument(help="File of one path a line, relative to SOURCE (find SOURCE -type f -printf '%P\\n').")],
    source: Annotated[Path, typer.Argument(help="Folder of the photos, the same on every machine.")],
    target: Annotated[Path, typer.Argument(help="Folder of the outputs, the same on every machine.")],
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; without it one worker a core is started on this machine.")
    ] = None,
    model: Annotated[str, typer.Option(help="A name of `mobile-sr models`, or a model file, as seen by the workers.")] = "lkdn-s-x4",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each worker process.")] = 1,
    suffix: Annotated[str, typer.Option(help="Ending of the outputs, which names their format.")] = ".png",
    failures: Annotated[Path, typer.Option(help="File for the photos that failed, one JSON line each.")] = Path("failures.jsonl"),
    part_bytes: Annotated[int, typer.Option(min=1, help="Of the listing that one task reads: a hundred photos or so.")] = 8192,
) -> None:
    """Upscale a listing of photos on many machines with Dask; the same command goes on after anything."""
    try:
        from conversion.upscaling.cluster import Job, upscale_on_cluster
    except ModuleNotFoundError as error:
        raise MobileSRError(f"{error.name} is not installed: install this project with its extra [cluster]") from None

    job = Job(source.resolve(), target.resolve(), suffix)
    total = upscale_on_cluster(listing, job, model, scheduler, threads, failures, part_bytes)
    typer.echo(f"{target}: {total['done']} upscaled, {total['skipped']} skipped, {total['failed']} failed")
    if total["failed"]:
        raise typer.Exit(2)
