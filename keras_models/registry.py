"""The list of networks: one line each, and every preset by name. It imports no Keras until a class is asked for."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from keras_models import compact_presets, lkdn_presets, mafdn_presets, span_presets
from keras_models.presets import Preset
from keras_models.system.errors import ModelError

if TYPE_CHECKING:
    from keras_models.base import SuperResolution

NETWORKS = {
    "keras_models.lkdn": lkdn_presets.PRESETS,
    "keras_models.mafdn": mafdn_presets.PRESETS,
    "keras_models.span": span_presets.PRESETS,
    "keras_models.compact": compact_presets.PRESETS,
}
"""Module of a network -> its presets."""

PRESETS: dict[str, Preset] = {preset.name: preset for presets in NETWORKS.values() for preset in presets}


def networks() -> "dict[str, type[SuperResolution]]":
    """Class name -> class of every network: those listed here and those that a caller registered (`keras_models.base`).

    Example:
        >>> import keras_models
        >>> sorted(keras_models.networks())[:2]
        ['LKDN', 'MAFDN']
    """
    for module in NETWORKS:
        import_module(module)
    from keras_models.base import registered

    return registered()


def find_preset(name: str) -> Preset | None:
    """The preset of that name; "lkdn-s" means "lkdn-s-x4". None if there is none."""
    return PRESETS.get(name) or PRESETS.get(f"{name}-x4")


def preset_meant(model: str | Path) -> Preset | None:
    """The preset that a model argument names; None if there is none, or if a file has that name."""
    return None if Path(model).is_file() else find_preset(str(model))


def preset_named(name: str) -> Preset:
    """As `find_preset`.

    Raises:
        ModelError: no such preset; it lists them.
    """
    preset = find_preset(name)
    if preset is None:
        raise ModelError(f"{name}: no such preset: give one of {', '.join(PRESETS)}")
    return preset
