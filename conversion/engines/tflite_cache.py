"""From a model argument to a .tflite: shipped, given, or converted once and kept in the user's cache."""

import hashlib
from functools import partial
from pathlib import Path

from keras_models.presets import WEIGHTS, preset_meant
from keras_models.system.atomic_files import cache_folder, make_folder
from keras_models.system.errors import ConversionError, ModelError
from keras_models.system.processes import Task, call

LIMIT_S = 2 * 3600.0
"""For a conversion: a network takes half a minute, an .onnx what `conversion.onnx.route` allows its parts."""


def tflite_for(model: str | Path) -> Path:
    """The .tflite of a preset, or of any file that `convert` takes (float32, converted in a process of its own).

    Raises:
        ModelError: no such preset or file, or nothing shipped for the preset.
        ConversionError: the conversion failed.
    """
    path = Path(model)
    preset = preset_meant(model)
    if preset is not None:
        shipped = WEIGHTS / f"{preset.name}.tflite"
        if shipped.is_file():
            return shipped
        if preset.weights is None:
            raise ModelError(
                f"{preset.name}: no weights are shipped for this preset: train it, or give a released checkpoint as --model FILE.pth"
            )
        return _converted(preset.name, preset.weights)
    if not path.is_file():
        raise ModelError(f"{model}: no such preset or file: `mobile-sr models` lists the presets")
    return path if path.suffix.lower() == ".tflite" else _converted(str(path), path)


def _converted(model: str, source: Path) -> Path:
    """The conversion of `source`, from the cache where it is there; the key is the file's content and this project's code."""
    digest = hashlib.sha256(source.read_bytes() + _code_fingerprint()).hexdigest()[:24]
    target = cache_folder() / f"{source.stem}-{digest}.tflite"
    if not target.is_file():
        make_folder(target.parent)
        # Whole-image statistics, where a network has any, because a photo is upscaled in tiles. The converter leaks memory and
        # sets global state, so it gets a process of its own.
        call(Task(f"{__name__}:convert_here", [model, str(target)], LIMIT_S, partial(_broken, model)))
    return target


def _broken(model: str, how: str) -> ConversionError:
    return ConversionError(f"{model}: its conversion: {how}")


def convert_here(model: str, target: str) -> None:
    """Converts, in the process that `tflite_for` starts for it."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.convert_model import convert

    convert(model, target, whole_image=True)


def _code_fingerprint() -> bytes:
    """Changes whenever the code that makes the file does, so that an upgrade never serves an older conversion."""
    import conversion
    import keras_models

    folders = (Path(conversion.__file__).parent, Path(keras_models.__file__).parent)
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py")))
