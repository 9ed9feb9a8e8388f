"""`mobile-sr report`: one HTML page about one or more models."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    models: Annotated[list[str], typer.Argument(help="Names (see `models`), .keras, .pth, .safetensors, .npz, .tflite, of one scale.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .html to write.")],
    data: Annotated[Path, typer.Option(help="Photos to compare on and to show: a folder of photos, or with HR/ (and LRxS/).")],
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of photos that the integer recipes are fitted to; without it the page has the float ones.")
    ] = None,
) -> None:
    """Write one self-contained page: before and after, quality, recipes, operations, GPU verdict, curves, model card."""
    from conversion.commands.progress import progress_bar
    from conversion.source import ModelSource
    from keras_models.system.quiet import import_keras

    for model in models:
        ModelSource.of(model).check_there()
    import_keras()
    from conversion.measuring.report.build import write_report

    command = shlex.join(["mobile-sr", *sys.argv[1:]])
    with progress_bar("measuring") as advance:
        written = write_report(models, data, output, calibration, command, progress=advance)
    typer.echo(written.as_text())
