"""Super-resolution networks in Keras 3: training form, deploy form, checkpoints, training.

The public names stand in `__all__`; they are imported when they are first used, so that `import keras_models` costs nothing.

Example:
    >>> import keras_models
    >>> network = keras_models.LKDN.from_preset("lkdn-s-x4")
    >>> keras_models.fold(network).scale
    4
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_models.adan import Adan
    from keras_models.base import SuperResolution, register
    from keras_models.checkpoints.loading import load_model
    from keras_models.checkpoints.saving import save_network
    from keras_models.compact import SRVGGNetCompact
    from keras_models.data.bicubic import shrink
    from keras_models.data.photo_set import PhotoSet, load_photos
    from keras_models.folding import fold, fold_error
    from keras_models.lkdn import LKDN
    from keras_models.mafdn import MAFDN
    from keras_models.metrics import measure, psnr_y, ssim_y
    from keras_models.registry import PRESETS, networks
    from keras_models.span import SPAN
    from keras_models.training.run import train
    from keras_models.training.settings import Settings, settings_for

_PLACES = {
    "Adan": "keras_models.adan",
    "LKDN": "keras_models.lkdn",
    "MAFDN": "keras_models.mafdn",
    "PRESETS": "keras_models.registry",
    "PhotoSet": "keras_models.data.photo_set",
    "SPAN": "keras_models.span",
    "SRVGGNetCompact": "keras_models.compact",
    "Settings": "keras_models.training.settings",
    "SuperResolution": "keras_models.base",
    "fold": "keras_models.folding",
    "fold_error": "keras_models.folding",
    "load_photos": "keras_models.data.photo_set",
    "load_model": "keras_models.checkpoints.loading",
    "measure": "keras_models.metrics",
    "networks": "keras_models.registry",
    "psnr_y": "keras_models.metrics",
    "register": "keras_models.base",
    "save_network": "keras_models.checkpoints.saving",
    "settings_for": "keras_models.training.settings",
    "shrink": "keras_models.data.bicubic",
    "ssim_y": "keras_models.metrics",
    "train": "keras_models.training.run",
}

__all__ = [
    "LKDN",
    "MAFDN",
    "PRESETS",
    "SPAN",
    "Adan",
    "PhotoSet",
    "SRVGGNetCompact",
    "Settings",
    "SuperResolution",
    "fold",
    "fold_error",
    "load_model",
    "load_photos",
    "measure",
    "networks",
    "psnr_y",
    "register",
    "save_network",
    "settings_for",
    "shrink",
    "ssim_y",
    "train",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
