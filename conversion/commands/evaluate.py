"""`mobile-sr evaluate`: PSNR and SSIM on a folder."""

from pathlib import Path
from typing import Annotated

import typer

from conversion.commands.flags import with_flags
from conversion.commands.options import OrderOption, RangeOption


def evaluate(
    model: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors, .npz, .tflite or .onnx.")],
    data: Annotated[Path, typer.Option(help="Folder with HR/ (and LRxS/), or a folder of photos.")],
    bicubic: Annotated[
        str, typer.Option(help="MATLAB rule for low-res images that are not given: new (mirrored border) or old (clamped).")
    ] = "new",
    threads: Annotated[int | None, typer.Option(help="CPU threads of a .tflite or .onnx; all cores by default.")] = None,
    values: RangeOption = None,
    order: OrderOption = None,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Measure PSNR and SSIM as the papers do, per image and on average."""
    from conversion.commands.options import capped_threads
    from conversion.commands.progress import progress_bar
    from conversion.commands.results import give
    from conversion.measuring.evaluate import evaluate_model
    from conversion.source import ModelSource

    with progress_bar("evaluating") as advance:
        result = evaluate_model(ModelSource.of(model).saying(values, order), data, bicubic, capped_threads(threads), advance)
    give(result, json_output)
    if json_output == "-":  # the text names them
        for note in result.notes:
            typer.echo(with_flags(f"mobile-sr: {note}"), err=True)
        for reason in (*result.too_small, *result.failed):
            typer.echo(f"mobile-sr: left out: {reason}", err=True)
    if result.failed:
        raise typer.Exit(2)
