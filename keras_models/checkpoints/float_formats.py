"""The short floating-point formats of checkpoints, by the names that their files give them: read as float32, which holds them exactly."""

from collections.abc import Mapping

import numpy as np

from keras_models.checkpoints.zip_limits import MAX_BYTES
from keras_models.system.errors import CheckpointError

SHORT_FLOATS = {
    "bfloat16": ("BF16", "bfloat16"),
    "float8_e4m3fn": ("F8_E4M3", "float8_e4m3fn"),
    "float8_e5m2": ("F8_E5M2", "float8_e5m2"),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", "float8_e5m2fnuz"),
    "float8_e8m0fnu": ("F8_E8M0", "float8_e8m0fnu"),
}
"""ml_dtypes' name -> that of safetensors, that of PyTorch."""
_BY_ANY_NAME = {word: ours for ours, theirs in SHORT_FLOATS.items() for word in theirs}


def short_float(name: str) -> np.dtype | None:
    """The NumPy dtype of a short format by its name in PyTorch or safetensors; None if it is none of them."""
    if name not in _BY_ANY_NAME:
        return None
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, _BY_ANY_NAME[name]))


def widened(state: Mapping[str, np.ndarray], source: object) -> dict[str, np.ndarray]:
    """The same arrays, those of short formats as float32.

    Args:
        state: names and arrays.
        source: what an error calls them.

    Raises:
        CheckpointError: they would take more than `MAX_BYTES`.
    """
    short = {name for name, array in state.items() if array.dtype.name in SHORT_FLOATS}
    if sum(4 * state[name].size for name in short) > MAX_BYTES:
        raise CheckpointError(f"{source}: over {MAX_BYTES:,} bytes as float32, which is the most that is read of a checkpoint")
    return {name: array.astype(np.float32) if name in short else array for name, array in state.items()}
