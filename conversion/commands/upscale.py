"""`mobile-sr upscale`: a larger photo, or a folder of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conversion.commands.progress import progress_bar
from keras_models.system.errors import ImageError, ModelError

if TYPE_CHECKING:
    from conversion.engines.base import Engine
    from conversion.upscaling.pipeline import UpscaleOptions

DEFAULT_MODEL = "lkdn-s-x4"
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}


def upscale(
    input_path: Annotated[Path, typer.Argument(metavar="INPUT", help="Photo or folder of photos: PNG, JPEG, WebP, TIFF.")],
    output: Annotated[Path | None, typer.Argument(metavar="[OUTPUT]", help="File or folder; default NAME_x4.png beside the input.")] = None,
    model: Annotated[str, typer.Option(help="Preset name or model file.")] = DEFAULT_MODEL,
    tile: Annotated[int | None, typer.Option(help="Side of a tile's core in input pixels; default: 256 to 512, by memory.")] = None,
    halo: Annotated[int | None, typer.Option(help="Input pixels around a tile that the network sees too; default 32.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; default all cores.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run on this machine's Vulkan GPU, in single precision, and nowhere else.")] = False,
    image_format: Annotated[str | None, typer.Option("--format", help="png, jpeg, webp or tiff; default png.")] = None,
    quality: Annotated[int | None, typer.Option(help="1 to 100, for JPEG (default 92) and WebP (90).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    factor: Annotated[float | None, typer.Option(help="Final size relative to the input, up to the model's scale.")] = None,
    width: Annotated[int | None, typer.Option(help="Final width in pixels.")] = None,
    max_megapixels: Annotated[float, typer.Option(help="Refuse larger photos, which may be decompression bombs.")] = 200.0,
) -> None:
    """Upscale a photo, or every photo of a folder."""
    if gpu and threads is not None:
        raise ModelError(f"--gpu --threads {threads}: threads are the CPU's: leave one of them out")
    if image_format is not None and image_format not in _SUFFIXES:
        raise ImageError(f"--format {image_format}: give {', '.join(_SUFFIXES)}")

    from conversion.upscaling.pipeline import UpscaleOptions

    options = UpscaleOptions(tile, halo, quality, factor, width, overwrite, max_megapixels)
    _check_input(input_path, max_megapixels)
    with _gpu_engine(model) if gpu else contextlib.nullcontext(_cpu_engine(model, threads)) as engine:
        ending = f"_{f'{width}w' if width is not None else f'x{engine.scale if factor is None else factor:g}'}"
        if input_path.is_dir():
            target = output or input_path.resolve().with_name(input_path.resolve().name + ending)
            _folder(input_path, target, engine, options, image_format)
        else:
            _file(input_path, _output_file(input_path, output, ending, image_format), engine, options)


def _check_input(source: Path, max_megapixels: float) -> None:
    """Refuse an input that is none before a model is converted for it, which can take a minute."""
    from conversion.upscaling.folder import find_images
    from conversion.upscaling.images import ImageReader

    if not source.exists():
        raise ImageError(f"{source}: no such file or folder: check the path")
    if source.is_dir():
        find_images(source)
    else:
        ImageReader(source, max_megapixels)


def _cpu_engine(model: str, threads: int | None) -> "Engine":
    from conversion.engines.whole_image import open_engine
    from conversion.source import ModelSource

    return open_engine(ModelSource.of(model).tflite(), threads)


@contextlib.contextmanager
def _gpu_engine(model: str) -> Iterator["Engine"]:
    """Says on which device it runs."""
    from conversion.engines.gpu import window_engine
    from conversion.gpu.devices import system_device
    from conversion.gpu.engine import NoVulkanDevice
    from conversion.source import ModelSource

    nothing = ModelError("--gpu: no GPU with a Vulkan driver on this machine: leave --gpu out to run on the CPU")
    device = system_device()
    if device is None:
        raise nothing
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(window_engine(ModelSource.of(model).tflite(), device))
        except NoVulkanDevice:
            raise nothing from None
        typer.echo(f"mobile-sr: runs on {engine.device}" + (", which is software on the CPU" if engine.software else ""), err=True)
        yield engine


def _output_file(source: Path, output: Path | None, ending: str, image_format: str | None) -> Path:
    """Complete the output's name, and refuse one that contradicts --format."""
    name = source.stem + ending + _SUFFIXES[image_format or "png"]
    if output is None:
        return source.with_name(name)
    if output.is_dir():
        return output / name
    from conversion.upscaling.image_writers import FORMATS

    if image_format is not None and FORMATS.get(output.suffix.lower(), image_format) != image_format:
        raise ImageError(f"{output}: the name says {FORMATS[output.suffix.lower()]}, --format says {image_format}: leave one of them out")
    return output


def _file(source: Path, target: Path, engine: "Engine", options: "UpscaleOptions") -> None:
    from conversion.upscaling.pipeline import upscale_file

    with progress_bar(source.name) as progress:
        upscale_file(source, target, engine, options, progress)
    typer.echo(str(target))


def _folder(source: Path, target: Path, engine: "Engine", options: "UpscaleOptions", image_format: str | None) -> None:
    from conversion.upscaling.folder import upscale_folder

    with progress_bar(source.name) as progress:
        result = upscale_folder(source, target, engine, options, _SUFFIXES[image_format or "png"], progress)
    typer.echo(f"{target}: {len(result.done)} upscaled, {len(result.skipped)} skipped, {len(result.failed)} failed")
    for _, reason in result.failed:
        typer.echo(f"mobile-sr: {' '.join(reason.split())}", err=True)
    if result.failed:
        raise typer.Exit(2)
