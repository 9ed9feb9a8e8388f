"""Small super-resolution networks in Keras 3: LKDN and LKDN-S, their training, folding, checkpoints and metrics.

Importing this package is cheap; a name below imports Keras when it is first used.
"""

_HOMES = {
    "LKDN": "keras_models.lkdn",
    "PRESETS": "keras_models.presets",
    "build_preset": "keras_models.loading",
    "fold": "keras_models.folding",
    "load_model": "keras_models.loading",
    "load_state": "keras_models.checkpoint",
    "read_state": "keras_models.checkpoint",
    "state_of": "keras_models.checkpoint",
}

__all__ = list(_HOMES)  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
