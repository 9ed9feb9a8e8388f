"""`mobile-sr benchmark-training`: is the input pipeline faster than the training steps that it feeds?"""

from pathlib import Path
from typing import Annotated

import typer


def benchmark_training(
    data: Annotated[Path, typer.Option(help="Folder of photos.")],
    preset: Annotated[str, typer.Argument(help="Network.")] = "lkdn-s-x4",
    batch: Annotated[int, typer.Option(help="Patches a step.")] = 16,
    patch: Annotated[int, typer.Option(help="Side of a patch, low-resolution pixels.")] = 32,
    degradation: Annotated[str, typer.Option(help="bicubic, real or photo.")] = "bicubic",
    precision: Annotated[str, typer.Option(help="float32, mixed_float16 or mixed_bfloat16.")] = "float32",
    cache: Annotated[Path | None, typer.Option(help="Folder for the photos' cache; default ~/.cache/mobile-sr.")] = None,
) -> None:
    """Measure patches a second, made and consumed."""
    from keras_models.training.settings import Settings

    settings = Settings(preset, batch=batch, patch=patch, degradation=degradation, precision=precision)

    from keras_models.system.quiet import import_keras

    import_keras()
    from keras_models.data.photo_set import load_photos
    from keras_models.registry import preset_named
    from keras_models.training.cpu_parts import split_over_cores
    from keras_models.training.pipeline_benchmark import measure_pipeline

    split_over_cores(settings.batch)
    speed = measure_pipeline(settings, load_photos(data, preset_named(preset).scale, cache))
    typer.echo(
        f"{preset}, batch {batch}, patch {patch}: pipeline makes {speed.made:,.0f} patches/s, a step of {speed.step_seconds:.3f} s "
        f"consumes {speed.consumed:,.0f}: {speed.ratio:.0f} times faster"
    )
