"""Folding: from the training form to the smaller deploy form, exactly, for any weights.

One walk over the layers: a re-parameterizable layer folds itself (`fold()`) into its twin's weights, every other layer
hands its weights over. Twins are found by path, because both forms come from one topology.
"""

import keras
import numpy as np

from keras_models.base import SuperResolution


def fold(model: SuperResolution) -> SuperResolution:
    """A new model in deploy form with the same function; a deploy form gives an independent copy of itself.

    Args:
        model: a network with `deploy_config()`, its weights built.

    Example:
        >>> import keras_models
        >>> training = keras_models.LKDN.from_preset("lkdn-s-x4", load_weights=False)
        >>> training.count_params(), keras_models.fold(training).count_params()
        (172449, 129177)
    """
    deploy = type(model)(**model.deploy_config())
    twins = {layer.path: layer for layer in deploy._flatten_layers(include_self=False)}
    for layer in model.layers:
        _hand_over(layer, twins)
    return deploy


def _hand_over(layer: keras.layers.Layer, twins: dict[str, keras.layers.Layer]) -> None:
    inner = list(layer._flatten_layers(recursive=False, include_self=False))
    if hasattr(layer, "fold"):
        twins[layer.path].set_weights(layer.fold())
    elif inner:
        for sublayer in inner:
            _hand_over(sublayer, twins)
    elif layer.weights:
        twins[layer.path].set_weights(layer.get_weights())


def fold_error(model: keras.Model, deploy: keras.Model, seed: int = 0) -> float:
    """Largest absolute difference of the two forms' outputs on a seeded noise image (1, 37, 43, 3) in [0, 1].

    Example:
        >>> import keras_models
        >>> training = keras_models.LKDN.from_preset("lkdn-s-x2", load_weights=False)
        >>> keras_models.fold_error(training, keras_models.fold(training)) < 1e-5
        True
    """
    image = np.random.default_rng(seed).random((1, 37, 43, 3), np.float32)
    both = [np.asarray(keras.ops.convert_to_numpy(m(image)), np.float64) for m in (model, deploy)]
    return float(np.abs(both[0] - both[1]).max())
