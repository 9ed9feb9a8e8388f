"""`mobile-sr train`: weights from a folder of photos; a run that was stopped goes on by itself."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from conversion.commands.config_file import ConfigFile, write_config
from conversion.commands.settings_options import settings_options
from keras_models.training.settings import Settings, settings_for


@settings_options(Settings, "preset", "betas")
def train(
    preset: Annotated[str, typer.Argument(help="Network, for example lkdn-s-x4 (`mobile-sr models` lists them).")],
    data: Annotated[Path, typer.Option(help="Folder of photos, or with HR/ and LRxS/ in it.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; if it holds this run, training goes on.")],
    config: ConfigFile = None,
    recipe: Annotated[str, typer.Option(help="cpu, or the authors': lkdn, lkdn-s, lkdn-s-finetune.")] = "cpu",
    val: Annotated[Path | None, typer.Option(help="Folder of photos for validation, as for --data.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for the photos' cache; default ~/.cache/mobile-sr.")] = None,
    devices: Annotated[bool, typer.Option("--all-devices", help="Split each batch over all devices (JAX backend).")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard, in RUN/tensorboard.")] = False,
    **given: Any,
) -> None:
    """Train a network on a folder of photos; stops and resumes at will.

    RUN/train.toml holds all that the run was given: `train --config RUN/train.toml --out ANOTHER` makes it again.
    """
    settings = settings_for(preset, recipe, **given)

    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.commands.progress import progress_bar
    from conversion.commands.training_progress import progress_listener
    from keras_models.checkpoints.loading import load_model
    from keras_models.data.data_parallel import use_all_devices
    from keras_models.data.photo_set import load_photos
    from keras_models.data.taught_photos import taught_photos
    from keras_models.registry import preset_named
    from keras_models.training.cpu_parts import split_over_cores
    from keras_models.training.run import train as run
    from keras_models.training.run_folder import CONFIG, RunFiles

    split_over_cores(settings.batch)
    if devices:
        use_all_devices(settings.batch)
    scale = preset_named(preset).scale
    photos = load_photos(data, scale, cache)
    if settings.teacher:
        with progress_bar("the teacher's results") as progress:
            photos = taught_photos(photos, load_model(settings.teacher), cache, progress)
    validation = load_photos(val, scale, cache) if val else None
    write_config(RunFiles(out).folder / CONFIG, {"data": data, "val": val, **_options(settings)})
    result = run(settings, photos, out, validation, progress_listener(out / "tensorboard" if tensorboard else None))
    quality = "" if result.best_psnr_y is None else f", validation PSNR-Y {result.last_psnr_y:.3f} dB (best {result.best_psnr_y:.3f})"
    typer.echo(f"{out / 'last.keras'}: {result.steps} steps in {result.seconds / 3600:.2f} h{quality}")


def _options(settings: Settings) -> dict[str, object]:
    """The settings as options: those that say "none", and what follows from the optimizer, are left out."""
    values = {name: value for name, value in asdict(settings).items() if value != "" and name != "betas"}
    return values if settings.teacher else {name: value for name, value in values.items() if name != "teacher_share"}
