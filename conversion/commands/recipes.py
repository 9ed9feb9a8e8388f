"""`mobile-sr recipes`: what each conversion recipe makes of a network, in one table."""

from pathlib import Path
from typing import Annotated

import typer

from conversion.commands.options import parse_size


def recipes(
    model: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors or .npz.")],
    data: Annotated[Path, typer.Option(help="Folder to measure PSNR on: with HR/ (and LRxS/), or photos.")],
    calibration: Annotated[Path, typer.Option(help="Folder of photos that the integer recipes are fitted to.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the converted files and the picture.")],
    qat: Annotated[list[Path] | None, typer.Option(help="A file of `mobile-sr qat` of the same network; may be repeated.")] = None,
    tile: Annotated[str, typer.Option(help="Size HxW that is timed, low-resolution pixels.")] = "180x320",
    runs: Annotated[int, typer.Option(help="Timed runs of each file.")] = 10,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Convert a network by every recipe and compare size, time and quality; names the tensors that int8 hurts most."""
    from conversion.calibration_images import photo_paths
    from conversion.commands.progress import progress_bar
    from conversion.commands.results import give
    from conversion.measuring.evaluate import photos_in
    from keras_models.checkpoints.loading import find_model
    from keras_models.system.atomic_files import make_folder
    from keras_models.system.quiet import import_keras

    size = parse_size(tile)
    find_model(model)
    photos_in(data)
    photo_paths(calibration)
    make_folder(output)
    import_keras()
    from conversion.measuring.recipe_table import plot, recipe_report

    with progress_bar("measuring") as advance:
        result = recipe_report(model, data, calibration, output, qat or (), size, runs, advance)
    plot(result, output / "recipes.png")
    give(result, json_output)
