"""`mobile-sr upscale`: larger photos, one, several or folders of them."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conversion.commands.flags import with_flags
from conversion.commands.options import OrderOption, RangeOption
from conversion.commands.progress import progress_bar
from keras_models.system.atomic_files import atomic_output, is_special, make_folder
from keras_models.system.errors import ImageError, MobileSRError, ModelError, printable

if TYPE_CHECKING:
    from conversion.commands.upscale_paths import Words
    from conversion.engines.base import Engine
    from conversion.source import ModelSource
    from conversion.upscaling.pipeline import UpscaleOptions

DEFAULT_MODEL = "lkdn-s-x4"
_KEPT = "standard input"
_FORMATS = ("png", "jpeg", "webp", "tiff", "avif")


def upscale(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Photos and folders of photos: PNG, JPEG, WebP, TIFF, HEIC, AVIF, BMP, GIF; - for stdin.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", help="File or folder; default NAME_x4.png beside the input; - for stdout."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A name of `mobile-sr models`, or a model file.")
    ] = DEFAULT_MODEL,
    denoise: Annotated[
        float | None,
        typer.Option(
            help="0 (noise stays) to 1 (all that the model removes), for models that come as such a pair."
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(help="Side of a tile's core in input pixels; default: 256 to 512, by memory."),
    ] = None,
    halo: Annotated[
        int | None, typer.Option(help="Input pixels around a tile that the network sees too; default 32.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; default, and most, all cores.")] = None,
    gpu: Annotated[
        bool,
        typer.Option(
            "--gpu", help="Run on this machine's Vulkan GPU, in single precision, and nowhere else."
        ),
    ] = False,
    image_format: Annotated[
        str | None, typer.Option("--format", help="png, jpeg, webp, tiff or avif; default png.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(help="1 to 100, for JPEG (default 92), WebP (90) and AVIF (80).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    factor: Annotated[
        float | None, typer.Option(help="Final size relative to the input, up to the model's scale.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Final width in pixels.")] = None,
    max_megapixels: Annotated[
        float, typer.Option(help="Refuse larger photos, which may be decompression bombs.")
    ] = 200.0,
    values: RangeOption = None,
    order: OrderOption = None,
) -> None:
    """Upscale photos, and every photo of folders. Of two names the second is the output, unless it is a
    photo that is there.
    """
    if gpu and threads is not None:
        raise ModelError(f"--gpu --threads {threads}: threads are the CPU's: leave one of them out")
    if image_format is not None and image_format not in _FORMATS:
        raise ImageError(f"--format {image_format}: give {', '.join(_FORMATS)}")

    from conversion.commands.options import capped_threads
    from conversion.commands.upscale_paths import STANDARD, sort_words
    from conversion.source import ModelSource
    from conversion.upscaling.pipeline import UpscaleOptions

    options = UpscaleOptions(tile, halo, quality, factor, width, overwrite, max_megapixels)
    sorted_words = sort_words(words, output, overwrite)
    with contextlib.ExitStack() as stack:
        if sorted_words.inputs == (STANDARD,):
            sorted_words = stack.enter_context(_standard_input(sorted_words))
        _check_input(sorted_words, image_format, max_megapixels)
        if denoise is not None:
            from conversion.upscaling.denoising import denoised

            model = denoised(model, denoise)
        source = ModelSource.of(model).saying(values, order)
        engine = stack.enter_context(
            _gpu_engine(source) if gpu else contextlib.nullcontext(_cpu_engine(source, capped_threads(threads)))
        )
        ending = (
            f"_{f'{width}w' if width is not None else f'x{engine.scale if factor is None else factor:g}'}"
        )
        _upscale(sorted_words, ending, engine, options, image_format)


def _upscale(
    words: "Words", ending: str, engine: "Engine", options: "UpscaleOptions", image_format: str | None
) -> None:
    from conversion.commands.upscale_paths import beside
    from conversion.upscaling.image_writers import SUFFIXES

    suffix = SUFFIXES[image_format or "png"]
    inputs = [Path(word) for word in words.inputs]
    target = None if words.output is None else Path(words.output)
    if len(inputs) > 1:
        _several(inputs, target, ending, suffix, engine, options)
    elif inputs[0].is_dir():
        raise typer.Exit(_folder(inputs[0], target or beside(inputs[0], ending), suffix, engine, options))
    elif target is None:
        _file(inputs[0], beside(inputs[0], ending + suffix), engine, options)
    elif words.into_folder:
        make_folder(target)
        _file(inputs[0], target / f"{inputs[0].stem}{ending}{suffix}", engine, options)
    elif words.output == "-" or is_special(target):
        _pour(inputs[0], words.output or "", target.suffix or suffix, engine, options)
    else:
        _file(inputs[0], target, engine, options)


def _check_input(words: "Words", image_format: str | None, max_megapixels: float) -> None:
    """Refuse what cannot be before a model is converted for it, which can take a minute."""
    from conversion.upscaling.folder import photos_under
    from conversion.upscaling.image_writers import FORMATS
    from conversion.upscaling.images import ImageReader

    if words.output and not words.into_folder:
        named = FORMATS.get(Path(words.output).suffix.lower())
        if image_format is not None and named not in (None, image_format):
            raise ImageError(
                f"{words.output}: the name says {named}, --format says {image_format}: leave one of them out"
            )
    if words.output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise ImageError("-: standard output is a terminal: redirect it into a file or a pipe")
    if len(words.inputs) > 1:  # each is looked at when its turn comes
        return
    source = Path(words.inputs[0])
    if source.is_dir():
        photos_under(source)
    else:
        ImageReader(source, max_megapixels)


@contextlib.contextmanager
def _standard_input(words: "Words") -> Iterator["Words"]:
    """Keeps what comes on standard input in a file: a photo's header is read first, and some networks see
    a photo twice.
    """
    import shutil
    import tempfile
    from dataclasses import replace

    if sys.stdin is None or sys.stdin.isatty():
        raise ImageError("-: standard input is a terminal: pipe a photo into it, or give a path")
    with tempfile.TemporaryDirectory(prefix="mobile-sr-") as folder:
        place = Path(folder) / _KEPT
        with place.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield replace(words, inputs=(str(place),), output=words.output or "-")
        except MobileSRError as error:  # which calls the photo by where it is kept
            raise type(error)(str(error).replace(str(place), "-")) from None


def _cpu_engine(source: "ModelSource", threads: int | None) -> "Engine":
    engine = source.engine(threads)
    _say(engine.notes)
    return engine


@contextlib.contextmanager
def _gpu_engine(source: "ModelSource") -> Iterator["Engine"]:
    """Says on which device it runs."""
    from conversion.engines.gpu import window_engine
    from conversion.gpu.devices import system_device
    from conversion.gpu.engine import NoVulkanDevice

    nothing = ModelError(
        "--gpu: no GPU with a Vulkan driver on this machine: leave --gpu out to run on the CPU"
    )
    device = system_device()
    if device is None:
        raise nothing
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(window_engine(source.tflite(), device))
        except NoVulkanDevice:
            raise nothing from None
        typer.echo(
            f"mobile-sr: runs on {engine.device}"
            + (", which is software on the CPU" if engine.software else ""),
            err=True,
        )
        yield engine


def _file(source: Path, target: Path, engine: "Engine", options: "UpscaleOptions") -> None:
    from conversion.upscaling.pipeline import upscale_file

    make_folder(target.parent)
    with progress_bar(printable(source.name)) as progress:
        notes = upscale_file(source, target, engine, options, progress)
    _say(_about(source, notes))
    typer.echo(os.fsencode(target))


def _about(source: Path, notes: Iterable[str]) -> list[str]:
    """Notes on a photo by the name that was given: of standard input that is -."""
    return [note.replace(f"{source}: ", "-: ") if source.name == _KEPT else note for note in notes]


def _pour(source: Path, output: str, suffix: str, engine: "Engine", options: "UpscaleOptions") -> None:
    """Upscales into standard output, a pipe or a device: the whole picture at once, when it is finished."""
    import shutil
    import tempfile

    from conversion.upscaling.pipeline import upscale_file

    with tempfile.TemporaryDirectory(prefix="mobile-sr-") as folder:
        made = Path(folder) / f"upscaled{suffix}"
        with progress_bar(printable(source.name)) as progress:
            notes = upscale_file(source, made, engine, options, progress)
        _say(_about(source, notes))
        if output == "-":
            with made.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with atomic_output(output) as part:
                shutil.copyfile(made, part)


def _folder(source: Path, target: Path, suffix: str, engine: "Engine", options: "UpscaleOptions") -> int:
    """The exit status: 2 if a photo failed."""
    from conversion.upscaling.folder import upscale_folder

    with progress_bar(printable(source.name)) as progress:
        result = upscale_folder(source, target, engine, options, suffix, progress)
    counts = f": {len(result.done)} upscaled, {len(result.skipped)} skipped, {len(result.failed)} failed"
    typer.echo(os.fsencode(target) + counts.encode())
    _say(result.notes)
    if result.passed_over:
        _say([f"{source}: passed over: {result.passed_over}"])
    _say([reason for _, reason in result.failed])
    return 2 if result.failed else 0


def _several(
    inputs: list[Path],
    target: Path | None,
    ending: str,
    suffix: str,
    engine: "Engine",
    options: "UpscaleOptions",
) -> None:
    from conversion.commands.upscale_paths import beside, outputs_of
    from conversion.upscaling.many import upscale_many

    photos = [path for path in inputs if not path.is_dir()]
    outputs = outputs_of(photos, target, ending + suffix)
    with progress_bar(f"{len(photos)} photos") as progress:
        result = upscale_many(list(zip(photos, outputs)), engine, options, progress, resume=False)
    for path in result.done:
        typer.echo(os.fsencode(path))
    _say(result.notes)
    _say([reason for _, reason in result.failed])
    status = 2 if result.failed else 0
    for folder in (path for path in inputs if path.is_dir()):
        name = beside(folder, ending)
        try:
            status = max(
                status, _folder(folder, target / name.name if target else name, suffix, engine, options)
            )
        except ImageError as error:  # of this folder alone
            _say([str(error)])
            status = 2
    if status:
        raise typer.Exit(status)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(f"mobile-sr: {printable(with_flags(' '.join(line.split())))}", err=True)
