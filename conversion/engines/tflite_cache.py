"""The .tflite of a model: shipped, given, or converted once and kept in the user's cache."""

import hashlib
from functools import partial
from pathlib import Path

from conversion.source import ModelSource
from keras_models.catalogue import without_weights
from keras_models.checkpoints.fetching import fetch
from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.presets import WEIGHTS
from keras_models.system.atomic_files import cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ConversionError, ModelError
from keras_models.system.processes import Task, call

LIMIT_S = 2 * 3600.0
"""For a conversion: a network takes half a minute, an .onnx what `conversion.onnx.route` allows its parts."""


def tflite_of(source: ModelSource) -> Path:
    """The .tflite of a preset, of published weights, of any file that `convert` takes, or of a network in memory (float32).

    Raises:
        ModelError: no such preset or file, or nothing shipped for the preset.
        FetchError: published weights that cannot be had.
        ConversionError: the conversion failed.
    """
    if source.memory is not None:
        return _of_memory(source)
    if source.preset is not None:
        shipped = WEIGHTS / f"{source.preset.name}.tflite"
        if shipped.is_file():
            return shipped
        if source.path is None:
            raise ModelError(without_weights(source.preset))
    path = fetch(source.published) if source.published is not None else source.check_there().path
    assert path is not None  # of a preset without weights it was said above
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ModelError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read of a model")
    if source.kind == "tflite":
        return path
    target = _place(path.stem, bytes.fromhex(sha256_of(path)))
    if not target.is_file():
        make_folder(target.parent)
        # Whole-image statistics, where a network has any, because a photo is upscaled in tiles. The converter leaks memory and
        # sets global state, so it gets a process of its own.
        arguments = [source.label, str(target), source.kind != "onnx"]
        call(Task(f"{__name__}:convert_here", arguments, LIMIT_S, partial(_broken, source.label)))
    return target


def convert_here(model: str, target: str, whole_image: bool) -> None:
    """Converts, in the process that `tflite_of` starts for it."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.convert_model import convert

    convert(model, target, whole_image=whole_image)


def _broken(model: str, how: str) -> ConversionError:
    return ConversionError(f"{model}: its conversion: {how}")


def _of_memory(source: ModelSource) -> Path:
    from conversion.convert_model import convert_network

    target = _place(source.name, source.sha256.encode())
    if not target.is_file():
        make_folder(target.parent)
        convert_network(source, whole_image=True).save(target, allow_overflow=True)
    return target


def _place(stem: str, content: bytes) -> Path:
    """Where the conversion lies in the cache; the key is the source's content and this project's code."""
    digest = hashlib.sha256(content + _code_fingerprint()).hexdigest()[:24]
    return cache_folder() / f"{stem}-{digest}.tflite"


def _code_fingerprint() -> bytes:
    """Changes whenever the code that makes the file does, so that an upgrade never serves an older conversion."""
    import conversion
    import keras_models

    folders = (Path(conversion.__file__).parent, Path(keras_models.__file__).parent)
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py")))
