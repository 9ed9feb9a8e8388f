"""Training the training form at the price of the deploy form: its weights are folded inside every step.

A re-parameterizable layer is linear, so folding its branches first and convolving once gives the same output and the same
gradients as convolving by each branch (up to rounding), for a third less work: the deploy form is called with what the
layers' `folded()` gives in place of its variables.
"""

from collections.abc import Callable
from typing import Any

import keras


def cheapest_form(network: keras.Model) -> Callable[..., Any]:
    """What to call instead of the network while it trains: its `OnlineFold`, or itself where that would save nothing.

    Saves nothing: no re-parameterizable layer, or one without `folded()` (DO-Conv folds in every call anyway).
    """
    folding = [layer for layer in network._flatten_layers(include_self=False) if hasattr(layer, "fold")]
    if folding and all(hasattr(layer, "folded") for layer in folding):
        return OnlineFold(network)
    return network


class OnlineFold:
    """Calls a network in training form through its deploy form.

    Args:
        network: built, with `deploy_config()`; its variables are read at every call.
    """

    def __init__(self, network: keras.Model) -> None:
        self.deploy = type(network)(**network.deploy_config())
        places = {id(v): i for i, v in enumerate(self.deploy.trainable_variables)}
        twins = {layer.path: layer for layer in self.deploy._flatten_layers(include_self=False)}
        self._recipe: list[tuple[keras.layers.Layer, list[int]]] = []
        _collect(network.layers, twins, places, self._recipe)

    def __call__(self, image: Any, training: bool | None = None) -> Any:
        """What the network makes of an image batch."""
        weights: list[Any] = [None] * len(self.deploy.trainable_variables)
        for layer, slots in self._recipe:
            values = layer.folded() if hasattr(layer, "folded") else layer.trainable_variables
            for slot, value in zip(slots, values, strict=True):
                weights[slot] = value
        output, _ = self.deploy.stateless_call(weights, [], image, training=training)
        return output


def _collect(layers: list, twins: dict, places: dict[int, int], recipe: list) -> None:
    for layer in layers:
        inner = list(layer._flatten_layers(recursive=False, include_self=False))
        if hasattr(layer, "fold") or not inner:
            if layer.weights:
                recipe.append((layer, [places[id(v)] for v in twins[layer.path].trainable_variables]))
        else:
            _collect(inner, twins, places, recipe)
