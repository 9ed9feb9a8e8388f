"""Saving a network: .keras, or .safetensors with PyTorch names and layout."""

from pathlib import Path

import keras

from keras_models.checkpoints.state_dict import state_of
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ModelError


def save_network(model: keras.Model, target: Path) -> None:
    """Writes `target` atomically, in the format of its ending.

    Raises:
        ModelError: another ending.
        MobileSRError: the folder cannot be written.

    Example:
        >>> import keras_models, pathlib, tempfile
        >>> network = keras_models.LKDN(scale=2, features=4, attention_channels=4, blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "tiny.safetensors"
        ...     keras_models.save_network(network, path)
        ...     keras_models.load_model(path).blocks
        1
    """
    if target.suffix not in (".keras", ".safetensors"):
        raise ModelError(f"{target}: the output must end in .keras or .safetensors")
    with atomic_output(target) as temporary:
        if target.suffix == ".keras":
            model.save(temporary)
        else:
            from safetensors.numpy import save_file

            save_file(state_of(model), temporary, metadata={"format": "pt"})
