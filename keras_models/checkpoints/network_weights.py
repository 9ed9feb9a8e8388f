"""A state dict of named arrays in PyTorch layout <-> the variables of a Keras network.

Keras layers carry the names of the PyTorch modules, so a variable's path is its name in a checkpoint: `B1/c1_r/pw/kernel`
is `B1.c1_r.pw.weight`. Kernels change layout, and filters in front of a pixel shuffle change order.
"""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from keras_models.base import SuperResolution, is_ignored
from keras_models.system.errors import CheckpointError

_PARAMETER_NAMES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "alpha": "weight"}


def load_state(model: SuperResolution, state: Mapping[str, np.ndarray], source: str = "checkpoint") -> None:
    """Puts a PyTorch state dict into a network.

    Args:
        model: a network; what its `ignored_names` match is left out.
        state: names and arrays in PyTorch layout.
        source: what to call the state in an error.

    Raises:
        CheckpointError: names missing or left over, or shapes that differ; it lists all of them.
    """
    slots = {name: (variable, layer) for name, variable, layer in _slots(model)}
    constants = _constants(model)
    state = {n: a for n, a in state.items() if n not in constants or not np.array_equal(a, constants[n])}
    state = {n: a for n, a in state.items() if n in slots or not is_ignored(type(model), n)}
    state |= {n: _one_slope_each(a, *slots[n]) for n, a in state.items() if n in slots}
    wrong = [f"missing {name} {_torch_shape(*slots[name])}" for name in slots if name not in state]
    wrong += [f"left over {name} {state[name].shape}" for name in state if name not in slots]
    for name in slots.keys() & state.keys():
        if state[name].shape != _torch_shape(*slots[name]):
            wrong.append(f"{name} is {state[name].shape}, not {_torch_shape(*slots[name])}")
        elif not np.issubdtype(state[name].dtype, np.floating):
            wrong.append(f"{name} holds {state[name].dtype}, not floats")
        elif not np.isfinite(state[name]).all():
            wrong.append(f"{name} holds values that are not finite")
    if wrong:
        listed = "; ".join(sorted(wrong)[:12]) + (f"; and {len(wrong) - 12} more" if len(wrong) > 12 else "")
        raise CheckpointError(f"{source}: does not fit {model.name} ({len(wrong)} differences): {listed}")
    for name, (variable, layer) in slots.items():
        variable.assign(_from_torch(state[name], layer, _shuffle_scale(model, name)).reshape(variable.shape))


def state_of(model: SuperResolution) -> dict[str, np.ndarray]:
    """The network's weights under their PyTorch names and in PyTorch layout, the inverse of `load_state`."""
    return dict(model.checkpoint_marks) | {
        name: np.ascontiguousarray(_to_torch(keras.ops.convert_to_numpy(variable), layer, _shuffle_scale(model, name)))
        for name, variable, layer in _slots(model)
    }


def _slots(model: keras.Model) -> Iterator[tuple[str, keras.Variable, keras.layers.Layer]]:
    """(PyTorch name, variable, the layer that owns it) of every weight."""
    for layer in model._flatten_layers(include_self=False):
        if layer.weights and not list(layer._flatten_layers(include_self=False)):
            for variable in layer.weights:
                yield f"{layer.path}/{_PARAMETER_NAMES.get(variable.name, variable.name)}".replace("/", "."), variable, layer


def _constants(model: keras.Model) -> dict[str, np.ndarray]:
    """PyTorch name -> what a checkpoint may hold besides the weights, always with these values."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if hasattr(layer, "constants")]
    return {f"{layer.path}/{key}".replace("/", "."): array for layer in layers for key, array in layer.constants().items()}


def _shuffle_scale(model: keras.Model, name: str) -> int:
    """The pixel shuffle scale behind the named weight's filters, 1 if none."""
    return model.scale if name.rsplit(".", 1)[0] in model.pixel_shuffle_convs else 1


# Keras kernel (kh, kw, in, out) -> PyTorch (out, in, kh, kw); depthwise (kh, kw, C, 1) -> (C, 1, kh, kw).
def _axes(layer: keras.layers.Layer) -> tuple[int, ...]:
    return (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (3, 2, 0, 1)


def _torch_shape(variable: keras.Variable, layer: keras.layers.Layer) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    if variable.name == "alpha":  # PReLU, Keras (1, 1, C), PyTorch (C,)
        return shape[-1:]
    return tuple(shape[a] for a in _axes(layer)) if variable.name == "kernel" else shape


def _one_slope_each(array: np.ndarray, variable: keras.Variable, layer: keras.layers.Layer) -> np.ndarray:
    """A PReLU's one shared slope, which PyTorch allows, as one a channel; anything else as it is."""
    return np.broadcast_to(array, _torch_shape(variable, layer)) if variable.name == "alpha" and array.shape == (1,) else array


def _from_torch(array: np.ndarray, layer: keras.layers.Layer, scale: int) -> np.ndarray:
    array = array.reshape(3, scale**2, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape) if scale > 1 else array
    return array.transpose(np.argsort(_axes(layer))) if array.ndim == 4 else array


def _to_torch(array: np.ndarray, layer: keras.layers.Layer, scale: int) -> np.ndarray:
    if isinstance(layer, keras.layers.PReLU):
        return array.reshape(-1)
    array = array.transpose(_axes(layer)) if array.ndim == 4 else array
    return array.reshape(scale**2, 3, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape) if scale > 1 else array
