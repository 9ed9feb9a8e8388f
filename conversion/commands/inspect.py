"""`mobile-sr inspect`: what a .tflite or .onnx is."""

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    file: Annotated[Path, typer.Argument(help="A .tflite or .onnx.")],
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Print what a file is: tensors, operations, quantization; of a .tflite CPU partitions, GPU and NPU verdict, metadata."""
    from conversion.commands.results import give
    from conversion.measuring.inspection import inspect_tflite
    from conversion.measuring.onnx_inspection import inspect_onnx

    give(inspect_onnx(file) if file.suffix.lower() == ".onnx" else inspect_tflite(file, npu=True), json_output)
