"""`mobile-sr compare-optimizers`: Adan against Adam on the same batches, as curves in a picture."""

from pathlib import Path
from typing import Annotated

import typer


def compare_optimizers(
    data: Annotated[Path, typer.Option(help="Folder of photos to train on.")],
    val: Annotated[Path, typer.Option(help="Folder of photos to measure on.")],
    out: Annotated[Path, typer.Option(help="Folder for both runs and the picture; unfinished runs go on.")],
    preset: Annotated[str, typer.Argument(help="Network.")] = "lkdn-s-x4",
    steps: Annotated[int, typer.Option(help="Optimizer steps of each run.")] = 2000,
    batch: Annotated[int, typer.Option(help="Patches a step.")] = 16,
    patch: Annotated[int, typer.Option(help="Side of a patch, low-resolution pixels.")] = 32,
    adam_lr: Annotated[float, typer.Option(help="Adam's peak learning rate.")] = 1e-3,
    adan_lr: Annotated[float, typer.Option(help="Adan's peak learning rate.")] = 5e-3,
    schedule: Annotated[str, typer.Option(help="constant (the paper's) or cosine.")] = "constant",
    ema: Annotated[float, typer.Option(help="Momentum of the weights' moving average, which is measured; short for short runs.")] = 0.99,
    interval: Annotated[int, typer.Option(help="Steps between measurements.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the first weights and of all patches.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for the photos' cache; default ~/.cache/mobile-sr.")] = None,
) -> None:
    """Train a network with Adam and with Adan on the same batches and draw both validation curves."""
    from keras_models.training.settings import Settings

    settings = Settings(
        preset,
        warmup=min(100, steps // 4),
        head_start=False,
        steps=steps,
        batch=batch,
        patch=patch,
        schedule=schedule,
        interval=interval,
        seed=seed,
        ema=ema,
    )

    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.commands.training_progress import progress_listener
    from keras_models.data.photo_set import load_photos
    from keras_models.registry import preset_named
    from keras_models.training.compare_optimizers import compare_optimizers as run
    from keras_models.training.cpu_parts import split_over_cores

    split_over_cores(settings.batch)
    scale = preset_named(preset).scale
    rates = {"adam": adam_lr, "adan": adan_lr}
    contest = run(settings, rates, load_photos(data, scale, cache), load_photos(val, scale, cache), out, progress_listener())
    scores = ", ".join(f"{name} ({rates[name]:g}) {psnr:.3f} dB" for name, psnr in contest.last.items())
    typer.echo(f"{out / contest.picture}: after {steps} steps: {scores}")
