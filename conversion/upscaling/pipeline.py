"""Upscaling one photo: read, tile, infer, round and write at the same time, with memory that does not grow with the image's height."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from conversion.engines.base import Engine, SettlingEngine
from conversion.upscaling.alpha import Upscaled, ValueRange, network_colour, upscale_window, write_samples
from conversion.upscaling.image_writers import FORMATS, RowWriter, writing
from conversion.upscaling.images import ImageKind, ImageReader
from conversion.upscaling.photo_decoders import MAX_MEGAPIXELS
from conversion.upscaling.planning import plan_file, plan_image
from conversion.upscaling.tiles import Span, TilePlan
from keras_models.system.errors import ImageError, MobileSRError, ModelError

# Results that may wait for rounding and writing, about 20 MB each.
_WAITING_RESULTS = 2
# A contrast that rounding alone may swallow, or a quantized network.
_FAINT = 4 / 255

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class UpscaleOptions:
    """How to upscale.

    Attributes:
        tile: side of a tile's core, low-resolution pixels; None for the default.
        halo: real pixels around the core, low-resolution pixels; None for the default.
        quality: 1 to 100 for JPEG and WebP; None for the default.
        factor: final size relative to the input, at most the network's scale; None for the scale.
        width: final width in pixels instead of a factor.
        overwrite: replace an output that exists.
        max_megapixels: larger photos are refused, see `ImageReader`.

    Raises:
        MobileSRError: a value is out of range, or factor and width are both given.
    """

    tile: int | None = None
    halo: int | None = None
    quality: int | None = None
    factor: float | None = None
    width: int | None = None
    overwrite: bool = False
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        for name, value, least in (("tile", self.tile, 1), ("halo", self.halo, 0), ("quality", self.quality, 1), ("width", self.width, 1)):
            if value is not None and value < least:
                raise MobileSRError(f"--{name} {value}: give {least} or more")
        if self.quality is not None and self.quality > 100:
            raise MobileSRError(f"`quality` {self.quality}: give 1 to 100")
        if self.factor is not None and not 0 < self.factor < float("inf"):
            raise MobileSRError(f"`factor` {self.factor}: give a number above 0")
        if not 0 < self.max_megapixels < float("inf"):
            raise MobileSRError(f"`max_megapixels` {self.max_megapixels:g}: give a number above 0")
        if self.factor is not None and self.width is not None:
            raise MobileSRError("`factor` and `width`: give only one of them")


def upscale_array(image: np.ndarray, engine: Engine, tile: int | None = None, halo: int | None = None) -> np.ndarray:
    """Upscale an image in memory, tile by tile.

    Args:
        image: (h, w, 3) float32 RGB in [0, 1].
        engine: the network.
        tile: side of a tile's core, low-resolution pixels; None for the default.
        halo: low-resolution pixels; None for the default.

    Returns:
        (scale * h, scale * w, 3) float32, not clipped.

    Raises:
        MobileSRError: the tile or the halo does not fit the engine.
    """
    scale = engine.scale
    plan = plan_image(image.shape[0], image.shape[1], engine, tile, halo)
    if isinstance(engine, SettlingEngine):
        engine.settle(lambda: ((image[r.start : r.stop, c.start : c.stop], _core(r, c)) for r, c in plan), len(plan))
    result = np.empty((image.shape[0] * scale, image.shape[1] * scale, 3), np.float32)
    for row, column in plan:
        window = np.ascontiguousarray(image[row.start : row.stop, column.start : column.stop], np.float32)
        place = slice(row.core_start * scale, row.core_stop * scale), slice(column.core_start * scale, column.core_stop * scale)
        result[place] = run_filled(engine, window, plan.window)[row.kept(scale), column.kept(scale)]
    return result


def upscale_file(
    source: Path, target: Path, engine: Engine, options: UpscaleOptions | None = None, progress: Progress | None = None
) -> tuple[str, ...]:
    """Upscale a photo file into another file.

    Args:
        source: a photo of one of `photo_formats.ENDINGS`.
        target: file to write; its suffix names the format.
        engine: the network.
        options: how; None for the defaults.
        progress: called with (tiles done, tiles in all) after every tile.

    Returns:
        A line for each thing of the photo that the result does not have.

    Raises:
        ImageError: the source cannot be read, the target cannot be written, exists, or is the source itself.
        ModelError: the network fails, or its result is black, constant or not a number although the photo is not.
        MobileSRError: an option does not fit.
    """
    options = options or UpscaleOptions()
    source, target = Path(source), Path(target)
    _refuse_overwriting(source, target, options.overwrite)
    reader = ImageReader(source, options.max_megapixels)
    kind = reader.kind
    plan = plan_file(kind, engine, options.tile, options.halo)
    large = replace(kind, width=kind.width * engine.scale, height=kind.height * engine.scale)
    size = _final_size(source, kind, engine.scale, options)
    seen, made = ValueRange(), ValueRange()
    progress = progress or (lambda done, total: None)
    before, total = (engine.passes - 1) * len(plan), engine.passes * len(plan)
    try:
        if isinstance(engine, SettlingEngine):
            again = partial(ImageReader, source, options.max_megapixels)
            engine.settle(lambda: _windows(again(), plan), len(plan), lambda done: progress(done, total))
        with writing(target, large, reader.metadata, options.quality, size) as writer:
            _stream(reader, plan, engine, writer, seen, made, lambda done: progress(before + done, total))
            _refuse_empty_result(seen, made, kind)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error
    lost = reader.metadata.lost_in(FORMATS[target.suffix.lower()])
    return tuple(f"{source}: {note}" for note in (*reader.notes, *lost))


def refuse_large_factor(options: UpscaleOptions, scale: int) -> None:
    """Refuse a factor above the network's scale, whatever the photo.

    Args:
        options: as for `upscale_file`.
        scale: the network's.

    Raises:
        MobileSRError: the factor is too large.
    """
    if options.factor is not None and options.factor > scale:
        raise MobileSRError(f"`factor` {options.factor:g}: the model makes x{scale}: ask for less, or upscale the result once more")


def run_filled(engine: Engine, window: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Run a window; one smaller than `size` is filled up by reflection at the bottom and the right, and the result cropped."""
    height, width, _ = window.shape
    if (height, width) == size:
        return engine.run(window)
    filled = np.pad(window, ((0, size[0] - height), (0, size[1] - width), (0, 0)), mode="reflect")
    return engine.run(filled)[: height * engine.scale, : width * engine.scale]


def _stream(
    reader: ImageReader,
    plan: TilePlan,
    engine: Engine,
    writer: RowWriter,
    seen: ValueRange,
    made: ValueRange,
    report: Callable[[int], None],
) -> None:
    """Infer in this thread while one thread reads the next band of rows, and another rounds and writes the last one."""
    kind, scale = reader.kind, engine.scale
    band = np.empty((0, 0, 0), kind.dtype)

    def finish(result: Upscaled, row: Span, column: Span) -> None:
        nonlocal band
        if column is plan.columns[0]:
            band = np.empty(((row.core_stop - row.core_start) * scale, kind.width * scale, kind.bands), kind.dtype)
        out = band[:, column.core_start * scale : column.core_stop * scale]
        write_samples(result, row.kept(scale), column.kept(scale), kind, out, made)
        if column is plan.columns[-1]:
            writer.write(band)

    waiting: deque[Future[None]] = deque()
    done = 0
    with ThreadPoolExecutor(1, "read") as read_pool, ThreadPoolExecutor(1, "write") as write_pool:
        bands = _bands(reader, plan)
        coming = read_pool.submit(next, bands)
        for row in plan.rows:
            rows = coming.result()
            if row is not plan.rows[-1]:
                coming = read_pool.submit(next, bands)
            for column in plan.columns:
                window = rows[:, column.start : column.stop]
                result = upscale_window(window, kind, lambda values: run_filled(engine, values, plan.window), scale, seen)
                waiting.append(write_pool.submit(finish, result, row, column))
                del result
                while len(waiting) > _WAITING_RESULTS:
                    waiting.popleft().result()
                done += 1
                report(done)
        for future in waiting:
            future.result()


def _windows(reader: ImageReader, plan: TilePlan) -> Iterator[tuple[np.ndarray, tuple[slice, slice]]]:
    """A file's windows as the network is given them, each with the place of its core."""
    for row, rows in zip(plan.rows, _bands(reader, plan)):
        for column in plan.columns:
            yield network_colour(rows[:, column.start : column.stop], reader.kind), _core(row, column)


def _core(row: Span, column: Span) -> tuple[slice, slice]:
    return row.kept(1), column.kept(1)


def _bands(reader: ImageReader, plan: TilePlan) -> Iterator[np.ndarray]:
    """Read the windows' rows; rows that two bands share are kept, never read twice."""
    height = reader.kind.height  # a window may end beyond the image
    have = reader.read(min(plan.rows[0].size, height))
    yield have
    for before, row in zip(plan.rows, plan.rows[1:]):
        have = np.concatenate([have[row.start - before.start :], reader.read(min(row.stop, height) - min(before.stop, height))])
        yield have


def _final_size(source: Path, kind: ImageKind, scale: int, options: UpscaleOptions) -> tuple[int, int] | None:
    """Width and height to resample to; None if the network's own size is what was asked for."""
    if options.factor is not None:
        refuse_large_factor(options, scale)
        factor = options.factor
    elif options.width is not None:
        factor = options.width / kind.width
    else:
        return None
    if factor > scale:
        most = kind.width * scale
        raise MobileSRError(f"{source}: `width` {options.width}: the x{scale} model makes at most {most}: ask for less, or upscale twice")
    width = options.width or max(1, round(kind.width * factor))
    size = width, max(1, round(kind.height * factor))
    return None if size == (kind.width * scale, kind.height * scale) else size


def _refuse_overwriting(source: Path, target: Path, overwrite: bool) -> None:
    try:
        if target.is_dir():
            raise ImageError(f"{target}: is a folder: give the name of a file")
        if not target.exists():
            return
    except OSError as error:  # a name that is too long
        raise ImageError(f"{target}: cannot be written ({error.strerror}): give another output name") from None
    if source.exists() and target.samefile(source):
        raise ImageError(f"{target}: would overwrite the input: give another output name")
    if not overwrite:
        raise ImageError(f"{target}: exists already: use `overwrite`, or give another output name")


def _refuse_empty_result(seen: ValueRange, made: ValueRange, kind: ImageKind) -> None:
    """Refuse what broken models and drivers return instead of a picture."""
    assert seen.low is not None and seen.high is not None and made.low is not None and made.high is not None
    low, high = (np.rint(np.clip(value, 0, 1) * kind.white) for value in (made.low, made.high))
    if high.max() == 0 and seen.high.max() > _FAINT:
        raise ModelError("the output is all black although the photo is not: the model is broken: convert it again or use another")
    if (low == high).all() and (seen.high - seen.low).max() > _FAINT:
        raise ModelError("the output is one flat colour although the photo is not: the model is broken: convert it again or use another")
