"""Saving a network: .keras, or .safetensors with PyTorch names and layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ModelError

if TYPE_CHECKING:
    import keras


def check_network_target(target: Path) -> None:
    """Refuses a file that `save_network` would not write, before the work.

    Raises:
        ModelError: another ending.
    """
    if target.suffix not in (".keras", ".safetensors"):
        raise ModelError(f"{target}: the output must end in .keras or .safetensors")


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
    check_network_target(target)
    with atomic_output(target) as temporary:
        if target.suffix == ".keras":
            model.save(temporary)
        else:
            from safetensors.numpy import save_file

            from keras_models.checkpoints.network_weights import state_of

            save_file(state_of(model), temporary, metadata={"format": "pt"})
