"""`mobile-sr qat`: a full-integer .tflite from quantization-aware training; a run that was stopped goes on by itself."""

from pathlib import Path
from typing import Annotated, Any

import typer

from conversion.commands.options import parse_size
from conversion.commands.settings_options import settings_options
from conversion.quantization.qat.settings import QatSettings, settings_for


@settings_options(QatSettings, "ema", "warmup")
def qat(
    model: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors or .npz: a float network.")],
    data: Annotated[Path, typer.Option(help="Folder of photos to train on, or with HR/ and LRxS/ in it.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The .tflite; default: in the run's folder.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, which goes on if it holds one. Default: OUTPUT without its ending, _run.")
    ] = None,
    val: Annotated[Path | None, typer.Option(help="Photos that choose the best weights; default: up to 12 of --data, held out.")] = None,
    io: Annotated[str, typer.Option(help="int8 or uint8, of the file's input and output.")] = "int8",
    tile: Annotated[str, typer.Option(help="Static input size HxW, low-resolution pixels.")] = "128x128",
    cache: Annotated[Path | None, typer.Option(help="Folder for the photos' cache; default ~/.cache/mobile-sr.")] = None,
    **given: Any,
) -> None:
    """Train a network to bear 8 bits and write it as a full-integer .tflite; stops and resumes at will."""
    folder = out or (output.with_name(f"{output.stem}_run") if output else None)
    if folder is None:
        raise typer.BadParameter("give the file to write with -o OUT.tflite, or a folder for the run with --out RUN")
    size = parse_size(tile)
    settings = settings_for(**{name: value for name, value in given.items() if value is not None})

    from conversion.source import ModelSource
    from keras_models.system.quiet import import_keras

    ModelSource.of(model).check_there()
    import_keras()
    from conversion.commands.training_progress import progress_listener
    from conversion.quantization.qat.run import QatRun, quantize

    result = quantize(model, QatRun(folder, data, val, cache), settings, size, io, progress_listener(), output)
    typer.echo(
        f"{result.path}: {result.steps} steps, validation PSNR-Y {result.file_psnr_y:.3f} dB "
        f"({result.emulated_psnr_y:.3f} in emulation), {result.path.stat().st_size:,} bytes"
    )
