"""A checkpoint's weights as a state dict: named arrays in PyTorch layout. No Keras here, so a wrong file is refused at once."""

from pathlib import Path

import numpy as np

from keras_models.checkpoints.float_formats import widened
from keras_models.checkpoints.safetensors_file import read_safetensors
from keras_models.checkpoints.torch_zip import read_torch
from keras_models.checkpoints.wrappers import find_state, without_inserted
from keras_models.checkpoints.zip_limits import read_arrays
from keras_models.system.errors import CheckpointError, one_line


def read_state(path: str | Path) -> dict[str, np.ndarray]:
    """The weights of a checkpoint as flat names and float arrays in PyTorch layout (OIHW).

    Args:
        path: .pth (.pt, .ckpt, .bin), .safetensors or .npz. Of what a trainer has saved, the weights are found (`wrappers.py`),
            averaged ones first; bfloat16 and 8-bit floats become float32, which holds them exactly.

    Raises:
        CheckpointError: unknown ending, unreadable, no dictionary of arrays in it, or several that could be meant.
    """
    path = Path(path)
    check_ending(path)
    state, places = find_state(_READERS[path.suffix.lower()](path))
    if len(places) > 1:
        listed = ", ".join(places[:4]) + (", ..." if len(places) > 4 else "")
        raise CheckpointError(f"{path}: holds several sets of weights ({listed}): save the one that is wanted and give that file")
    if state is None:
        raise CheckpointError(f"{path}: holds no state_dict (names and tensors): save model.state_dict() and give that file")
    plain = without_inserted(state)
    if plain is None:
        raise CheckpointError(f"{path}: holds some weights twice, with and without _orig_mod: save model.state_dict() anew")
    return widened(plain, path)


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
    try:
        return read_safetensors(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}: give a readable file") from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path)
    except CheckpointError:
        raise
    except Exception as error:  # zipfile, zlib and the header parser each raise their own
        raise CheckpointError(f"{path}: not a readable .npz file ({one_line(error)}): save it again") from None


_READERS = {**dict.fromkeys((".pth", ".pt", ".ckpt", ".bin"), read_torch), ".safetensors": _read_safetensors, ".npz": _read_npz}
