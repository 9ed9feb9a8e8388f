"""What every network is: a Keras model of one image in and one larger image out, and what it tells of itself.

A network is a class of this kind in a file of its own, its presets beside it, and one line in `keras_models.registry`;
folding, training, checkpoints, tiles, conversion and quantization ask it no more than stands here.
"""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras.saving import register_keras_serializable

from keras_models.system.errors import ModelError

_registered: dict[str, "type[SuperResolution]"] = {}


class SuperResolution(keras.Model):
    """A functional model: (N, H, W, 3) RGB in [0, 1] to (N, sH, sW, 3), not clipped, for any H and W.

    A subclass validates its arguments, builds the functional model inside `dtype_scope(dtype)`, and hands both over; the
    arguments become its configuration and its attributes. It must say `halo` and `receptive_radius`; the rest has defaults.

    Args:
        image: symbolic input of `image_input`.
        upscaled: symbolic output.
        config: the subclass's arguments by name, "scale" among them.
        name: of the model.
        trainable: False freezes all weights.

    Example:
        >>> import keras_models
        >>> network = keras_models.LKDN.from_preset("lkdn-s-x4")
        >>> network.scale, network.halo, network.count_params()
        (4, 32, 129177)
    """

    pixel_shuffle_convs: tuple[str, ...] = ()
    """Layers whose filters are in pixel shuffle order, by their names in a PyTorch checkpoint (one form may lack some)."""

    long_skip: tuple[str, str, str] | None = None
    """Names of the layers (head, end of the trunk, last), the last reading the sum of the first two: training may start as bicubic."""

    ignored_names: tuple[str, ...] = ()
    """Patterns (`re.fullmatch`) of names that a checkpoint may hold beside the weights and that nothing reads."""

    def __init__(
        self,
        image: keras.KerasTensor,
        upscaled: keras.KerasTensor,
        config: Mapping[str, Any],
        name: str,
        trainable: bool = True,
    ) -> None:
        super().__init__(inputs=image, outputs=upscaled, name=name)
        self._network_config = dict(config)
        for key, value in config.items():
            setattr(self, key, value)
        if not trainable:
            self.trainable = False

    @property
    def halo(self) -> int:
        """Low-resolution pixels around a tile after which its seams stay below 1/255."""
        raise NotImplementedError

    @property
    def receptive_radius(self) -> int:
        """Low-resolution pixels around a pixel that its result can depend on."""
        raise NotImplementedError

    def deploy_config(self) -> dict:
        """The configuration of the form that this one folds into; a network without a training form gives its own."""
        return self.get_config()

    @property
    def checkpoint_marks(self) -> dict[str, np.ndarray]:
        """Tensors that a checkpoint of this network holds to say what its weights' names and shapes do not."""
        return {}

    @classmethod
    def config_from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """The configuration of a PyTorch checkpoint, from its tensors' names and shapes (OIHW); None if it is another network's."""
        return None

    def get_config(self) -> dict:
        """The constructor's arguments; the dtype only if it is not float32."""
        policy = {} if self.dtype_policy.name == "float32" else {"dtype": self.dtype_policy.name}
        return {**self._network_config, "name": self.name, **policy}

    @classmethod
    def from_config(cls, config: dict, custom_objects: object = None) -> Self:
        """The inverse of `get_config`."""
        return cls(**config)

    @classmethod
    def from_preset(cls, preset: str | Path, load_weights: bool = True, **options: Any) -> Self:
        """A network by name or from a file.

        Args:
            preset: a preset's name ("lkdn-s-x4"; x4 may be left out), that of published weights ("lkdn-x4@authors", downloaded once),
                or a .keras, .pth, .safetensors or .npz file.
            load_weights: False gives a preset's training form with fresh weights; else its shipped weights, deploy form.
            options: dtype, trainable, name, of the constructor.

        Raises:
            ModelError: no such preset or file, no weights shipped for it, or a network of another class.
            CheckpointError: a checkpoint that cannot be read or fits no network.
            FetchError: published weights that cannot be had.

        Example:
            >>> from keras_models import LKDN
            >>> LKDN.from_preset("lkdn-s-x2", load_weights=False).scale
            2
        """
        from keras_models.checkpoints.loading import build_preset, load_model
        from keras_models.registry import preset_named

        network = load_model(preset, **options) if load_weights else build_preset(preset_named(str(preset)), **options)
        if not isinstance(network, cls):
            raise ModelError(f"{preset}: is a {type(network).__name__}, not a {cls.__name__}: call {type(network).__name__}.from_preset")
        return network

    def compile(self, *arguments: Any, **options: Any) -> None:
        """As Keras' own, and makes the optimizer's variables at once.

        Left to `fit`, Keras makes each of them by a branch inside the traced step, and traces it twice: for LKDN-S with Adan
        that is two thirds of the time before the first step.
        """
        super().compile(*arguments, **options)
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def export(self, filepath: str | Path, format: str = "tf_saved_model", **options: Any) -> Any:
        """Keras' export, but for the formats that Keras would write with operations that leave a phone's GPU.

        Raises:
            ModelError: "litert" or "onnx".
        """
        instead = {"litert": "conversion.convert(model, 'NAME.tflite')", "onnx": "conversion.export_onnx(model, 'NAME.onnx')"}
        if format in instead:
            raise ModelError(f"export to {format}: Keras would write dynamic shapes that no phone's GPU takes: call {instead[format]}")
        return super().export(filepath, format=format, **options)


def image_input() -> keras.KerasTensor:
    """The symbolic input of every network: "image", (N, H, W, 3), any N, H and W."""
    return keras.Input((None, None, 3), name="image")


def is_ignored(network: type[SuperResolution], name: str) -> bool:
    """Whether a network's checkpoints may hold something under this name that nothing reads."""
    return any(re.fullmatch(pattern, name) for pattern in network.ignored_names)


def register(network: type[SuperResolution]) -> type[SuperResolution]:
    """Class decorator: makes a network known to Keras and to this project's readers, after checking its contract.

    Raises:
        ModelError: the class lacks what stands in `SuperResolution`, or its name is taken by another.

    Example:
        >>> from keras_models import SuperResolution, register
        >>> @register
        ... class Unfinished(SuperResolution):
        ...     def __init__(self, scale=2, name="unfinished", dtype=None):
        ...         pass
        Traceback (most recent call last):
        keras_models.system.errors.ModelError: Unfinished: not a network of this project: does not say its halo; does not say...
    """
    name = network.__name__
    parameters = inspect.signature(network.__init__).parameters
    needs = [key for key, p in parameters.items() if key != "self" and p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    problems = [
        (not issubclass(network, SuperResolution), "is no SuperResolution"),
        (bool(needs), f"its arguments {', '.join(needs)} have no default"),
        (not {"scale", "name", "dtype"} <= parameters.keys(), "its constructor must take scale, name and dtype"),
        (network.halo is SuperResolution.halo, "does not say its halo"),
        (network.receptive_radius is SuperResolution.receptive_radius, "does not say its receptive_radius"),
        (not all(isinstance(n, str) for n in (*network.pixel_shuffle_convs, *network.ignored_names)), "names that are no words"),
        (network.long_skip is not None and len(network.long_skip) != 3, "long_skip must name three layers"),
        (name in _registered and _registered[name].__module__ != network.__module__, "its name is taken"),
    ]
    wrong = [text for is_wrong, text in problems if is_wrong]
    if wrong:
        raise ModelError(f"{name}: not a network of this project: {'; '.join(wrong)}")
    _registered[name] = network
    return register_keras_serializable("mobile_sr")(network)


def registered() -> dict[str, type[SuperResolution]]:
    """Class name -> class of the networks registered so far; `keras_models.registry.networks` imports the project's first."""
    return dict(_registered)
