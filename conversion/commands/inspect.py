"""`mobile-sr inspect`: what a .tflite is."""

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    file: Annotated[Path, typer.Argument(help="A .tflite.")],
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Print what a .tflite is: tensors, operations, quantization, CPU partitions, GPU and NPU verdict, metadata."""
    from conversion.commands.results import give
    from conversion.measuring.inspection import inspect_tflite

    give(inspect_tflite(file, npu=True), json_output)
