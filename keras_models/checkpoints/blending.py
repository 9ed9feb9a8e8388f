"""Between two networks of one kind: every weight a share of the way from one to the other.

Weights that were trained from one another, such as Real-ESRGAN's for noisy photos with and without denoising, give a network in
between that way (deep network interpolation, Wang et al., CVPR 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_models.system.errors import ModelError

if TYPE_CHECKING:
    from keras_models.base import SuperResolution


def blend(first: SuperResolution, second: SuperResolution, share: float) -> SuperResolution:
    """The network (1 - share) * first + share * second, weight by weight.

    Args:
        first: any network.
        second: of the same class and configuration.
        share: 0 to 1, of the second.

    Raises:
        ModelError: another share, or two different networks.
    """
    from keras_models.checkpoints.network_weights import load_state, state_of

    if type(first) is not type(second):
        raise ModelError(f"a {type(first).__name__} and a {type(second).__name__} have no network between them: give two of one kind")
    mine, other = ({key: value for key, value in network.get_config().items() if key != "name"} for network in (first, second))
    apart = [f"{key} {value} and {other.get(key)}" for key, value in mine.items() if other.get(key) != value]
    if apart:
        raise ModelError(f"not one network, {', '.join(apart)}: give two of one size and form (fold both, if one is in training form)")
    blended = type(first).from_config(first.get_config())
    load_state(blended, blend_states(state_of(first), state_of(second), share))
    return blended


def blend_states(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], share: float) -> dict[str, np.ndarray]:
    """The same of two checkpoints' arrays, computed in float64 and given in the first's dtypes.

    Raises:
        ModelError: another share, or arrays of other names or shapes.
    """
    if not 0 <= share <= 1:
        raise ModelError(f"a share of {share:g}: give 0 (all of the first) to 1 (all of the second)")
    apart = [name for name in (*first, *second) if name not in first or name not in second or first[name].shape != second[name].shape]
    if apart:
        raise ModelError(f"not one network, the arrays {', '.join(apart[:3])} are not alike: give two of one size and form")
    weighted = {name: (1 - share) * array.astype(np.float64) + share * second[name].astype(np.float64) for name, array in first.items()}
    return {name: array.astype(first[name].dtype) for name, array in weighted.items()}
