"""From a model argument (preset name, .keras, checkpoint) to a Keras network."""

from pathlib import Path

import keras

from keras_models.checkpoint import load_state, read_state
from keras_models.errors import CheckpointError, ModelError
from keras_models.networks import NETWORKS
from keras_models.presets import Preset, find_preset


def build_preset(preset: Preset) -> keras.Model:
    """The preset's network in training form with fresh weights."""
    return NETWORKS[preset.network](**preset.config, name=preset.name)


def load_model(model: str | Path, variant: str | None = None) -> keras.Model:
    """Opens a network with its weights.

    Args:
        model: a preset's name (its shipped weights), or a .keras, .pth, .safetensors or .npz file.
        variant: the distillation step of a checkpoint whose names fit two of them ("BSConvU", "BSConvU_idt").

    Raises:
        ModelError: unknown name, no shipped weights, or a .keras file that cannot be read.
        CheckpointError: a checkpoint that cannot be read or fits no network.
    """
    path = Path(model)
    preset = find_preset(str(model))
    if preset is not None and not path.exists():
        return _load_shipped(preset)
    if path.suffix == ".keras":
        return _load_keras(path)
    if not path.suffix:
        raise ModelError(f"{model}: no such preset or file: `mobile-sr models` lists the presets")
    return model_from_state(read_state(path), str(path), variant)


def model_from_state(state: dict, source: str, variant: str | None = None) -> keras.Model:
    """The network that a PyTorch state dict belongs to, inferred from names and shapes, with its weights.

    Args:
        state: names and arrays in PyTorch layout.
        source: what to call the state in an error.
        variant: as in `load_model`.

    Raises:
        CheckpointError: no network has such names, or they do not all fit.
    """
    shapes = {name: array.shape for name, array in state.items()}
    for network in NETWORKS.values():
        try:
            config = network.config_from_shapes(shapes)
            if config is None:
                continue
            model = network(**{**config, **({"step": variant} if variant else {})})
        except (ModelError, IndexError) as error:
            raise CheckpointError(f"{source}: looks like {network.__name__}, but its shapes do not fit together ({error})") from None
        load_state(model, state, source)
        return model
    known = ", ".join(NETWORKS)
    first = ", ".join(list(shapes)[:3])
    raise CheckpointError(f"{source}: the names ({first}, ...) belong to no network known here ({known}): give a checkpoint of one of them")


def _load_shipped(preset: Preset) -> keras.Model:
    if preset.weights is None:
        raise ModelError(f"{preset.name}: no weights are shipped for this preset: train it, or give a released checkpoint's file")
    return model_from_state(read_state(preset.weights), preset.name)


def _load_keras(path: Path) -> keras.Model:
    if not path.is_file():
        raise ModelError(f"{path}: no such file: check the path")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, zipfile, JSON and h5py each raise their own for a damaged file
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ModelError(f"{path}: not a readable .keras model ({reason}): give a file written by this project") from None
    if not isinstance(model, tuple(NETWORKS.values())):
        raise ModelError(f"{path}: a {type(model).__name__}, not one of {', '.join(NETWORKS)}: give a file written by this project")
    return model
