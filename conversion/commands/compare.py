"""`mobile-sr compare`: one page of a photo, enlarged by several models."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    photo: Annotated[Path, typer.Argument(help="Any photo that `upscale` takes; no original in a larger size is needed.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .html to write.")],
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names (see `models`) or files, of one scale; default: the x4 names that are here."),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
) -> None:
    """Write one page that shows a photo enlarged by each model and by bicubic: sliders, where they differ most, times, sizes."""
    from conversion.commands.options import capped_threads
    from conversion.commands.progress import progress_bar
    from conversion.measuring.compare.build import write_comparison

    with progress_bar("enlarging") as advance:
        written = write_comparison(photo, models or None, output, capped_threads(threads), advance)
    typer.echo(written.as_text())
