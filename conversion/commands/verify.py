"""`mobile-sr verify`: measured agreement and safety of a .tflite."""

from pathlib import Path
from typing import Annotated

import typer

from conversion.commands.options import OrderOption, RangeOption


def verify(
    file: Annotated[Path, typer.Argument(help="A .tflite.")],
    against: Annotated[str | None, typer.Option(help="Model to compare with: a name (see `models`) or file.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run it on the GPU too, or on software ones (scripts/gpu_packages.sh).")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of photos for the tiles of --gpu.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
    values: RangeOption = None,
    order: OrderOption = None,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Run a .tflite on built-in images: difference to its source, CPU partitions, half precision's range, the GPU engine."""
    from conversion.commands.options import capped_threads
    from conversion.commands.results import give
    from conversion.measuring.verify import verify_tflite
    from keras_models.system.errors import ModelError

    if data is not None and not gpu:
        raise ModelError("--data: only --gpu takes its tiles from photos: add --gpu or leave --data out")
    result = verify_tflite(file, against, capped_threads(threads), gpu, data, values, order)
    give(result, json_output)
    if result.problems:
        raise ModelError(f"{file}: {'; '.join(result.problems)}: convert it again")
