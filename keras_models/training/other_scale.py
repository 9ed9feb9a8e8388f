"""Starting at one scale from weights trained at another: everything but the last convolution is scale-free.

The last convolution makes s x s phases of each low-resolution pixel. Its phases at the new scale are area averages of
those at the old one (x4 to x2: each a mean of four; x4 to x3: of unequal shares), so the first output is the trained
network's, resized: a far better start than a fresh last layer, and exact for a network that enlarges a flat image.
"""

import keras
import numpy as np

from keras_models.base import SuperResolution
from keras_models.system.errors import TrainingError


def take_other_scale(network: SuperResolution, source: SuperResolution) -> None:
    """Puts the weights of a network of another scale into this one, in place.

    Args:
        network: deploy form, or a network that has no other.
        source: of the same class, form and configuration, but for the scale.

    Raises:
        TrainingError: they differ in more than the scale, or more than the last convolution depends on it.
    """
    ours, theirs = ({**n.get_config(), "scale": None, "name": None} for n in (network, source))
    pairs = list(zip(network.variables, source.variables))
    changed = [(new, old) for new, old in pairs if tuple(new.shape) != tuple(old.shape)]
    alike = type(network) is type(source) and ours == theirs and len(network.variables) == len(source.variables)
    if not alike or any(new.shape[:-1] != old.shape[:-1] or not _is_shuffled(new, old, network, source) for new, old in changed):
        raise TrainingError(
            f"{source.name}: its weights do not fit {network.name}: give a model of that preset and form, "
            "or, with the `form` deploy, one that differs in the scale alone"
        )
    for new, old in pairs:
        value = keras.ops.convert_to_numpy(old)
        new.assign(value if new.shape == old.shape else _resized_phases(value, source.scale, network.scale))


def area_shares(old: int, new: int) -> np.ndarray:
    """(new, old) shares of the old phases in each new one along one axis; every row sums to 1."""
    edges_old, edges_new = np.arange(old + 1) / old, np.arange(new + 1) / new
    overlap = np.minimum(edges_new[1:, None], edges_old[None, 1:]) - np.maximum(edges_new[:-1, None], edges_old[None, :-1])
    return new * np.maximum(overlap, 0)


def _is_shuffled(new: keras.Variable, old: keras.Variable, network: SuperResolution, source: SuperResolution) -> bool:
    return new.shape[-1] * source.scale**2 == old.shape[-1] * network.scale**2


def _resized_phases(weights: np.ndarray, old: int, new: int) -> np.ndarray:
    """(..., old * old * C) filters in depth-to-space order to (..., new * new * C)."""
    phases, shares = weights.reshape(*weights.shape[:-1], old, old, -1), area_shares(old, new)
    return np.einsum("iy,jx,...yxc->...ijc", shares, shares, phases).reshape(*weights.shape[:-1], -1)
