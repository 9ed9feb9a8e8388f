"""A checkpoint's weights as a state dict: named arrays in PyTorch layout. No Keras here, so a wrong file is refused at once."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_models.checkpoints.torch_zip import read_torch
from keras_models.checkpoints.zip_limits import MAX_BYTES, read_arrays
from keras_models.system.errors import CheckpointError, one_line

WRAPPERS = ("params_ema", "params", "state_dict")
"""Keys under which training frameworks keep the weights, the wanted one first (the averaged weights are the result)."""


def read_state(path: str | Path) -> dict[str, np.ndarray]:
    """The weights of a checkpoint as flat names and float arrays in PyTorch layout (OIHW).

    Args:
        path: .pth/.pt (zip format), .safetensors or .npz.

    Raises:
        CheckpointError: unknown ending, unreadable, or no dictionary of arrays in it.
    """
    path = Path(path)
    check_ending(path)
    state = _READERS[path.suffix.lower()](path)
    for key in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, np.ndarray) for v in state.values()):
        raise CheckpointError(f"{path}: holds no state_dict (names and tensors): save model.state_dict() and give that file")
    return {str(name).removeprefix("module."): array for name, array in state.items()}


def check_ending(path: Path) -> None:
    """Refuses what `read_state` cannot read by its name.

    Raises:
        CheckpointError: an ending that no weights file has, or no such file.
    """
    if path.suffix.lower() not in _READERS:
        raise CheckpointError(f"{path}: not a known weights file: give one of {', '.join(_READERS)}")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file: check the path")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise CheckpointError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read of a checkpoint")
    try:
        return load_file(path)  # it checks that the header's tensors are the bytes that the file has, no more
    except Exception as error:  # the library, its bindings and NumPy each raise their own
        raise CheckpointError(f"{path}: not a readable .safetensors file ({one_line(error)}): download it again") from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path)
    except CheckpointError:
        raise
    except Exception as error:  # zipfile, zlib and the header parser each raise their own
        raise CheckpointError(f"{path}: not a readable .npz file ({one_line(error)}): save it again") from None


_READERS = {".pth": read_torch, ".pt": read_torch, ".safetensors": _read_safetensors, ".npz": _read_npz}
