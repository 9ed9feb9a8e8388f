"""From a model argument (a name, .keras, checkpoint) to a Keras network.

Keras takes some seconds to import, so it is imported when a file was found and read: a wrong one is refused before.
"""

from __future__ import annotations

import math
import tempfile
import warnings
import zipfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_models.catalogue import published_meant, without_weights
from keras_models.checkpoints.fetching import fetch
from keras_models.checkpoints.state_dict import check_ending, read_state
from keras_models.checkpoints.wrappers import readings
from keras_models.checkpoints.zip_limits import open_archive, read_member
from keras_models.presets import Preset
from keras_models.registry import networks, preset_meant
from keras_models.system.errors import CheckpointError, ModelError, one_line
from keras_models.system.json_text import json_object
from keras_models.system.quiet import import_keras
from keras_models.system.sandbox import Limits, isolated

if TYPE_CHECKING:
    from keras_models.base import SuperResolution

_MAX_CONFIG_BYTES = 1 << 20
_HDF5 = Limits(seconds=8.0, memory=1 << 29)
"""For reading a file's weights: the largest network here takes a tenth of a second."""
_FLOAT64 = 8
_ROOM = 4
"""So many times the network's own bytes a file may hold: an optimizer has two or three arrays for each of the network's."""


def build_preset(preset: Preset, **options: Any) -> SuperResolution:
    """The preset's network in training form with fresh weights; `options` (dtype, trainable, name) go to its constructor."""
    return _networks()[preset.network](**{**preset.config, "name": preset.name, **options})


def find_model(model: str | Path, variant: str | None = None) -> Preset | Path:
    """The preset or the file that a model argument names, without reading it; published weights are fetched.

    Args:
        model: as in `load_model`.
        variant: as in `load_model`.

    Raises:
        ModelError: no such preset, one without weights, no such .keras file, or a variant of what says itself which it is.
        CheckpointError: no such checkpoint, or an ending that none has.
        FetchError: published weights that cannot be had.
    """
    path = Path(model)
    preset, published = preset_meant(model), published_meant(model)
    if variant and (path.suffix == ".keras" or preset is not None or published is not None):
        raise ModelError(f"{model}: says itself which variant it is: leave `variant` out")
    if preset is not None:
        if preset.weights is None:
            raise ModelError(without_weights(preset))
        return preset
    if published is not None:
        return fetch(published)
    if not path.suffix:
        raise ModelError(f"{model}: no such preset or file: `mobile-sr models` lists the names")
    if path.suffix == ".keras":
        if not path.is_file():
            raise ModelError(f"{path}: no such file: check the path")
    else:
        check_ending(path)
    return path


def load_model(model: str | Path, variant: str | None = None, **options: Any) -> SuperResolution:
    """Opens a network with its weights.

    Args:
        model: a preset's name (its shipped weights), that of published weights ("lkdn-x4@authors", downloaded once), or a .keras,
            .pth, .safetensors or .npz file.
        variant: the distillation step of a checkpoint whose names fit two of them ("BSConvU", "BSConvU_idt").
        options: dtype, trainable, name: of the network's constructor.

    Raises:
        ModelError: unknown name, no shipped weights, or a .keras file that cannot be read.
        CheckpointError: a checkpoint that cannot be read or fits no network.
        FetchError: published weights that cannot be had.

    Example:
        >>> from keras_models import load_model
        >>> type(load_model("lkdn-s")).__name__
        'LKDN'
    """
    found = find_model(model, variant)
    if isinstance(found, Preset):
        assert found.weights is not None
        return model_from_state(read_state(found.weights), found.name, **options)
    if found.suffix == ".keras":
        return _load_keras(found, options)
    return model_from_state(read_state(found), str(found), variant, **options)


def model_from_state(state: dict, source: str, variant: str | None = None, **options: Any) -> SuperResolution:
    """The network that a PyTorch state dict belongs to, inferred from names and shapes, with its weights.

    Args:
        state: names and arrays in PyTorch layout; all names may have a prefix, and other networks stand beside (`wrappers.py`).
        source: what to call the state in an error.
        variant: as in `load_model`.
        options: as in `load_model`.

    Raises:
        CheckpointError: no network has such names, or they do not all fit.
    """
    classes = _networks()
    for reading, network in product(readings(state), classes.values()):
        shapes = {name: array.shape for name, array in reading.items()}
        try:
            config = network.config_from_shapes(shapes)
            if config is None:
                continue
            if variant:
                if "step" not in config:
                    raise ModelError(f"a {network.__name__} has no variants: leave `variant` out")
                config["step"] = variant
            model = _build(network, config, options)
        except ModelError as error:
            raise CheckpointError(f"{source}: {error}") from None
        except Exception as error:  # Keras raises its own for sizes that no layer can have
            said = one_line(error)
            raise CheckpointError(f"{source}: looks like {network.__name__}, but its shapes do not fit together ({said})") from None
        from keras_models.checkpoints.network_weights import load_state

        load_state(model, reading, source)
        return model
    known = ", ".join(classes)
    first = ", ".join(name[:80] for name in list(state)[:3])
    raise CheckpointError(f"{source}: the names ({first}, ...) belong to no network known here ({known}): give a checkpoint of one of them")


def _networks() -> dict[str, type[SuperResolution]]:
    """The registry, Keras being imported without its words."""
    import_keras()
    return networks()


def _load_keras(path: Path, options: dict) -> SuperResolution:
    try:
        with open_archive(path) as archive, tempfile.TemporaryDirectory(prefix="mobile-sr-keras-") as folder:
            network, config = _configuration(archive, path)
            model = _build(network, config, options)
            stored, safe = archive.extract("model.weights.h5", folder), str(Path(folder) / "safe.weights.h5")
            most = _ROOM * sum(math.prod(variable.shape) for variable in model.weights) * _FLOAT64 + (1 << 20)
            isolated("keras_models.checkpoints.hdf5_copy:copy_weights", [stored, safe, most], ModelError, _HDF5)
            with warnings.catch_warnings():  # what Keras warns of, it refuses in the end
                warnings.simplefilter("ignore")
                model.load_weights(safe)
        _check_finite(model)
    except CheckpointError:
        raise
    except Exception as error:  # Keras, zipfile, JSON and h5py each raise their own for a damaged file
        if isinstance(error, ModelError) and str(error).startswith(f"{path}: "):
            raise
        raise ModelError(f"{path}: not a readable .keras model ({one_line(error)}): give a file written by this project") from None
    return model


def _configuration(archive: zipfile.ZipFile, path: Path) -> tuple[type[SuperResolution], dict]:
    """The class and the settings that a .keras file names."""
    if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
        raise ModelError(f"{path}: its configuration is too long to be a network's: give a file written by this project")
    content = json_object(read_member(archive, "config.json", path)) or {}
    classes, name, config = _networks(), content.get("class_name"), content.get("config")
    if not isinstance(name, str) or name not in classes:
        known = ", ".join(classes)
        what = f"a {name[:80]}" if isinstance(name, str) else "no network"
        raise ModelError(f"{path}: {what}, not one of {known}: give a file written by this project")
    if not isinstance(config, dict):
        raise ModelError(f"{path}: it says no settings of its {name}: give a file written by this project")
    return classes[name], config


def _check_finite(model: SuperResolution) -> None:
    import keras
    import numpy as np

    for variable in model.weights:
        if not np.isfinite(np.asarray(keras.ops.convert_to_numpy(variable), np.float32)).all():
            raise ModelError(f"its {variable.path} holds values that are not finite")


def _build(network: type[SuperResolution], config: dict, options: dict) -> SuperResolution:
    """The network of a configuration that stands in a file: whatever is of a wrong kind or size is refused first.

    Raises:
        ModelError: a setting that no network of the kind has, or one that the network refuses.
    """
    from keras_models.checkpoints.config_check import check_config

    check_config(network, config)
    return network(**{**config, **options})
