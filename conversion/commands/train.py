"""`mobile-sr train`: weights from a folder of photos; a run that was stopped goes on by itself."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    preset: Annotated[str, typer.Argument(help="Network, for example lkdn-s-x4 (`mobile-sr models` lists them).")],
    data: Annotated[Path, typer.Option(help="Folder of photos, or with HR/ and LRxS/ in it.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; if it holds this run, training goes on.")],
    recipe: Annotated[str, typer.Option(help="cpu, or the authors': lkdn, lkdn-s, lkdn-s-finetune.")] = "cpu",
    steps: Annotated[int | None, typer.Option(help="Optimizer steps in all.")] = None,
    batch: Annotated[int | None, typer.Option(help="Patches a step.")] = None,
    patch: Annotated[int | None, typer.Option(help="Side of a patch, low-resolution pixels.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam or adan.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    loss: Annotated[str | None, typer.Option(help="l1 or mse.")] = None,
    schedule: Annotated[str | None, typer.Option(help="constant, cosine or wsd (stable, then decay over the last --decay steps).")] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of linear warm-up.")] = None,
    decay: Annotated[int | None, typer.Option(help="Steps of the final decay, for wsd.")] = None,
    ema: Annotated[float | None, typer.Option(help="Momentum of the weights' moving average; below 2,000 steps take 0.99.")] = None,
    form: Annotated[str | None, typer.Option(help="training, or deploy: fold re-parameterizable layers before the first step.")] = None,
    head_start: Annotated[bool | None, typer.Option(help="Start as bicubic upscaling (networks with a long skip).")] = None,
    start: Annotated[str | None, typer.Option(help="Model to take the first weights from (fine-tuning).")] = None,
    teacher: Annotated[str | None, typer.Option(help="Model whose outputs are an extra target.")] = None,
    teacher_share: Annotated[float | None, typer.Option(help="Share of the teacher in the loss.")] = None,
    degradation: Annotated[str | None, typer.Option(help="bicubic, or real: blur, noise and JPEG on the low-res side.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, mixed_float16 or mixed_bfloat16.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the first weights and of all patches.")] = None,
    interval: Annotated[int | None, typer.Option(help="Steps between checkpoints and validations.")] = None,
    val: Annotated[Path | None, typer.Option(help="Folder of photos for validation, as for --data.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for the photos' cache; default ~/.cache/mobile-sr.")] = None,
    devices: Annotated[bool, typer.Option("--all-devices", help="Split each batch over all devices (JAX backend).")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard, in RUN/tensorboard.")] = False,
) -> None:
    """Train a network on a folder of photos; stops and resumes at will."""
    from keras_models.training.settings import settings_for

    given = {name: value for name, value in locals().items() if name in _SETTINGS}
    settings = settings_for(**given)

    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.commands.training_progress import progress_listener
    from keras_models.data.data_parallel import use_all_devices
    from keras_models.data.photo_set import load_photos
    from keras_models.registry import preset_named
    from keras_models.training.run import train as run

    if devices:
        use_all_devices(settings.batch)
    scale = preset_named(preset).scale
    photos = load_photos(data, scale, cache)
    validation = load_photos(val, scale, cache) if val else None
    result = run(settings, photos, out, validation, progress_listener(out / "tensorboard" if tensorboard else None))
    quality = "" if result.best_psnr_y is None else f", validation PSNR-Y {result.last_psnr_y:.3f} dB (best {result.best_psnr_y:.3f})"
    typer.echo(f"{out / 'last.keras'}: {result.steps} steps in {result.seconds / 3600:.2f} h{quality}")


_SETTINGS = (
    *("preset", "recipe", "steps", "batch", "patch", "optimizer", "lr", "loss", "schedule", "warmup", "decay", "ema", "form", "head_start"),
    *("start", "teacher", "teacher_share", "degradation", "precision", "seed", "interval"),
)
