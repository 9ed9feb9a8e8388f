"""Upscaling from Python: an array, or a photo file, by any model."""

import warnings
from pathlib import Path

import numpy as np

from conversion.engines.base import Engine
from conversion.source import ModelLike, ModelSource
from conversion.upscaling.pipeline import UpscaleOptions, upscale_array, upscale_file
from keras_models.system.errors import ImageError

DEFAULT_MODEL = "lkdn-s-x4"


def upscale(
    image: np.ndarray, model: ModelLike = DEFAULT_MODEL, tile: int | None = None, halo: int | None = None, threads: int | None = None
) -> np.ndarray:
    """Upscales an image in memory, in tiles, on the CPU.

    Args:
        image: (h, w, 3) RGB, uint8, or float32 in [0, 1].
        model: a preset's name, a path, or a network; what is no .tflite or .onnx is converted once and kept in the user's cache.
        tile: side of a tile's core, low-resolution pixels; None for the default.
        halo: real pixels around the core, low-resolution pixels; None for what the network needs.
        threads: CPU threads, None for all cores.

    Returns:
        (scale * h, scale * w, 3) of the image's dtype; floats are clipped to [0, 1].

    Raises:
        ImageError: an array of another shape or dtype.
        MobileSRError: the model cannot be read, or the tile does not fit it.

    Example:
        >>> import conversion, numpy
        >>> conversion.upscale(numpy.zeros((20, 30, 3), numpy.uint8), "lkdn-s-x4").shape
        (80, 120, 3)
    """
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype not in (np.uint8, np.float32) or 0 in image.shape:
        raise ImageError(f"an image of shape {image.shape}, {image.dtype}: give (h, w, 3) RGB, uint8 or float32 in [0, 1]")
    from keras_models.metrics import to_uint8

    engine = _opened(model, threads)
    if image.dtype == np.uint8:
        return to_uint8(upscale_array(image.astype(np.float32) / 255, engine, tile, halo))
    return upscale_array(image, engine, tile, halo).clip(0, 1)


def upscale_photo(
    source: str | Path,
    target: str | Path,
    model: ModelLike = DEFAULT_MODEL,
    options: UpscaleOptions | None = None,
    threads: int | None = None,
) -> None:
    """Upscales a photo file into another file, as `mobile-sr upscale` does: streamed, colour profile and EXIF kept.

    Args:
        source: PNG, JPEG, WebP or TIFF of any kind.
        target: file to write; its ending names the format.
        model: as for `upscale`.
        options: tile, halo, final size, quality; None for the defaults.
        threads: CPU threads, None for all cores.

    Raises:
        ImageError: the source cannot be read, the target cannot be written, exists, or is the source itself.
        MobileSRError: the model cannot be read or fails, or an option does not fit.

    Example:
        >>> import conversion, tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (8, 6), "teal").save(f"{folder}/small.png")
        ...     conversion.upscale_photo(f"{folder}/small.png", f"{folder}/large.png")
        ...     Image.open(f"{folder}/large.png").size
        (32, 24)
    """
    upscale_file(Path(source), Path(target), _opened(model, threads), options)


def _opened(model: ModelLike, threads: int | None) -> Engine:
    """The engine of a model; what a user should know of it is warned of."""
    engine = ModelSource.of(model).engine(threads)
    for note in engine.notes:
        warnings.warn(note, stacklevel=3)
    return engine
