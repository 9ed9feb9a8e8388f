"""What a model argument is: a name, a file of any kind, or a Keras network in memory. Asked here, once.

Every public function takes any of them; `ModelSource.of` tells which it is, and the rest asks for what it needs: the network,
a .tflite, a function from image to image, or the facts of its card.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union

from keras_models.catalogue import Published, published_meant
from keras_models.presets import Preset
from keras_models.registry import preset_meant
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ModelError
from keras_models.system.json_text import json_object

if TYPE_CHECKING:
    import numpy as np

    import conversion.source
    import keras_models.base
    from conversion.engines.cpu import CpuEngine
    from conversion.engines.onnx_engine import OnnxEngine
    from conversion.engines.values import Said
    from keras_models.base import SuperResolution

ModelLike = Union[str, Path, "keras_models.base.SuperResolution", "conversion.source.ModelSource"]
"""A preset's name, that of published weights, a path, a network in memory, or what `ModelSource.of` made of one."""

Kind = Literal["preset", "checkpoint", "keras", "tflite", "onnx", "memory"]

_MOST_CARD_BYTES = 1 << 20
_KINDS: dict[str, Kind] = {".keras": "keras", ".tflite": "tflite", ".onnx": "onnx"}


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to run.

    Attributes:
        name: what to call it.
        scale: upscaling factor.
        run: (h, w, 3) float32 RGB in [0, 1] to (s*h, s*w, 3) float32, not necessarily clipped.
        notes: what a user should know of it.
    """

    name: str
    scale: int
    run: "Callable[[np.ndarray], np.ndarray]"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSource:
    """One model argument.

    Attributes:
        label: what messages and reports call it: the argument as given, or the network's name.
        kind: which of the kinds it is.
        path: the file that its weights come from; of a preset the shipped weights, None if there are none; of published weights
            where they lie once they are fetched; None in memory.
        preset: the preset, if one was named.
        published: the published weights, if they were named.
        memory: the network, if one was given.
        variant: of a checkpoint whose names fit two networks, see `load_model`.
        said: what a user says of the values that a foreign file takes, None: nothing.

    Example:
        >>> from conversion import ModelSource
        >>> ModelSource.of("lkdn-s").network().scale
        4
    """

    label: str
    kind: Kind
    path: Path | None
    preset: Preset | None = None
    memory: "SuperResolution | None" = None
    variant: str | None = None
    published: Published | None = None
    said: "Said | None" = None

    @classmethod
    def of(cls, model: ModelLike, variant: str | None = None) -> "ModelSource":
        """What `model` is; nothing is opened yet, so that a file that is missing shows only when it is needed.

        Raises:
            ModelError: something that is no name, path or network of this project.

        Example:
            >>> from conversion import ModelSource
            >>> ModelSource.of("lkdn-s").kind, ModelSource.of("somebody.onnx").kind
            ('preset', 'onnx')
        """
        if isinstance(model, ModelSource):
            return model
        if not isinstance(model, (str, Path)):
            from keras_models.base import SuperResolution

            if not isinstance(model, SuperResolution):
                raise ModelError(f"a {type(model).__name__} is no model of this project: give a name, a path, or a SuperResolution")
            return cls(model.name, "memory", None, memory=model)
        preset = preset_meant(model)
        if preset is not None:
            return cls(str(model), "preset", preset.weights, preset)
        published = published_meant(model)
        if published is not None:
            from keras_models.checkpoints.fetching import place_of

            return cls(str(model), "checkpoint", place_of(published), variant=variant, published=published)
        return cls(str(model), _KINDS.get(Path(model).suffix.lower(), "checkpoint"), Path(model), variant=variant)

    def saying(self, range: str | None = None, order: str | None = None) -> "ModelSource":
        """The same, with what a user says of the values that it takes: "0..1", "0..255" or "-1..1"; "rgb" or "bgr".

        Raises:
            ModelError: another word, or a network of this project, all of which take RGB in 0..1.

        Example:
            >>> from conversion import ModelSource
            >>> ModelSource.of("somebody.onnx").saying("0..255").said.range
            '0..255'
        """
        if range is None and order is None:
            return self
        from conversion.engines.values import Said

        if self.kind not in ("tflite", "onnx"):
            option = "`range`" if range is not None else "`order`"
            raise ModelError(f"{option}: {self.label} takes RGB in 0..1, only .tflite and .onnx files may take other values: leave it out")
        return replace(self, said=Said(range, order))

    def check_there(self) -> "ModelSource":
        """Itself, before anything slow is begun.

        Raises:
            ModelError: a file that is not there, and no name either.

        Example:
            >>> from conversion import ModelSource
            >>> ModelSource.of("lkdn-s").check_there().kind
            'preset'
        """
        named = self.preset is not None or self.published is not None or self.memory is not None
        if not named and (self.path is None or not self.path.is_file()):
            raise ModelError(f"{self.label}: no such preset or file: `mobile-sr models` lists the names")
        return self

    @property
    def name(self) -> str:
        """Of the preset, the published weights, the network or the file's stem."""
        if self.preset is not None:
            return self.preset.name
        if self.published is not None:
            return self.published.name
        return self.path.stem if self.path is not None else self.label

    def network(self) -> "SuperResolution":
        """The Keras network with its weights, as given (training or deploy form).

        Raises:
            ModelError: a .tflite or .onnx, which hold no network; what `load_model` raises.
        """
        if self.memory is not None:
            return self.memory
        if self.kind in ("tflite", "onnx"):
            raise ModelError(f"{self.label}: converted already: give the network that it was made of")
        from keras_models.checkpoints.loading import load_model

        return load_model(self.label, self.variant)

    def deploy(self) -> "SuperResolution":
        """The network in deploy form: a training form is folded."""
        from keras_models.folding import fold

        return fold(self.network())

    def tflite(self) -> Path:
        """A .tflite of it: the file itself, the shipped one, or a float32 conversion kept in the user's cache."""
        from conversion.engines.tflite_cache import tflite_of

        return tflite_of(self)

    def engine(self, threads: int | None = None) -> "CpuEngine | OnnxEngine":
        """What runs it on windows of an image: onnxruntime for an .onnx, LiteRT for anything else.

        Raises:
            MobileSRError: it cannot be read or is not super-resolution.
        """
        from conversion.engines.values import NOTHING_SAID

        said = self.said or NOTHING_SAID
        if self.kind == "onnx":
            from conversion.engines.onnx_engine import OnnxEngine

            return OnnxEngine(self.label, threads, said)
        from conversion.engines.whole_image import open_engine

        return open_engine(self.tflite(), threads, said)

    def predictor(self, threads: int | None = None) -> Predictor:
        """The model as one function of a whole image.

        Raises:
            MobileSRError: it cannot be read or is not super-resolution.
        """
        from dataclasses import replace

        from conversion.engines.predictor import predictor_of

        opened = predictor_of(self, threads)
        return replace(opened, run=lambda image: _finite(opened.run(image), self.label))

    @cached_property
    def facts(self) -> dict:
        """Licence, credit and more: from the catalogue, or the model card beside the weights; {} without one."""
        if self.published is not None:
            return self.published.as_facts()
        if self.path is None:
            return {}
        card = self.path.with_suffix(".json")
        try:
            if not card.is_file() or card.stat().st_size > _MOST_CARD_BYTES:  # a pipe would be waited for
                return {}
            return json_object(card.read_bytes()) or {}
        except OSError:
            return {}

    @property
    def title(self) -> str:
        """What a page calls the model: its name, or the file's with its ending."""
        return self.name if self.preset is not None or self.published is not None else self.file_name

    @property
    def file_name(self) -> str:
        """Name of the file that the weights come from, or what messages call the model."""
        return self.path.name if self.path is not None else self.label

    @property
    def sha256(self) -> str:
        """Of the file that the weights come from; of the weights themselves in memory."""
        if self.path is not None and self.path.is_file():
            return sha256_of(self.path)
        return weights_digest(self.network())


def weights_digest(model: "SuperResolution") -> str:
    """Hex digest of a network's weights."""
    import numpy as np

    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _finite(result: "np.ndarray", label: str) -> "np.ndarray":
    """A network's result; what is no picture must not become black pixels, and a score.

    Raises:
        ModelError: it holds NaN or infinity.
    """
    import numpy as np

    if not np.isfinite(result).all():
        raise ModelError(f"{label}: its result holds values that are no numbers (NaN, infinity): its weights are damaged, or overflow")
    return result
