"""From a model argument to a .tflite: shipped, given, or converted once and kept in the user's cache."""

import contextlib
import hashlib
import subprocess
from pathlib import Path

from keras_models.presets import WEIGHTS, preset_meant
from keras_models.system.atomic_files import cache_folder, make_folder
from keras_models.system.errors import ConversionError, ModelError
from keras_models.system.sandbox import python_module

_PATIENCE_S = 20


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
        command, environment = python_module("conversion.commands.main")
        status, said = _run([*command, "convert", model, "-o", str(target), "--whole-image"], environment)
        if status:
            last = (said.strip().splitlines() or ["it gave no reason"])[-1]
            raise ConversionError(last.removeprefix("mobile-sr: "))
    return target


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Status and standard error of a process; when this one is stopped, that one is too, and may clean up."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, said = process.communicate()
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
            process.kill()
            raise
    return process.returncode, said


def _code_fingerprint() -> bytes:
    """Changes whenever the code that makes the file does, so that an upgrade never serves an older conversion."""
    import conversion
    import keras_models

    folders = (Path(conversion.__file__).parent, Path(keras_models.__file__).parent)
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py")))
