"""The settings in a .keras file, checked against the network's constructor before anything is built: kinds, ranges, names."""

import inspect
import math
from typing import Any

from keras_models.base import SuperResolution
from keras_models.system.errors import ModelError

_LARGEST = {"blocks": 32, "convolutions": 64, "spatial_kernel": 63}
"""Of a whole number in a file's configuration, 256 for all others: the largest networks here have 8 blocks of 56 channels, and 32
convolutions of 64."""
_REAL_ROOM = 10
"""A real number may be up to 1, or so many times its default; negative only if that is."""
_LONGEST = 100
_DTYPES = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def check_config(network: type[SuperResolution], config: dict[str, Any]) -> None:
    """Refuses settings that the network does not have, of another kind than its defaults, or out of range.

    Args:
        network: the class.
        config: of a file, or inferred from a checkpoint's shapes.

    Raises:
        ModelError: which setting, and what it should be.
    """
    known = {name: p.default for name, p in inspect.signature(network.__init__).parameters.items() if name != "self"}
    for key, value in config.items():
        if key not in known:
            raise ModelError(f"a setting {key[:_LONGEST]} that {network.__name__} does not have: give a file written by this project")
        wanted = _problem(key, value, known[key])
        if wanted:
            raise ModelError(f"{key} {_shown(value)}: {wanted}")


def _problem(key: str, value: Any, default: Any) -> str | None:
    """What a setting should be; None if it is that."""
    if key == "dtype":
        return None if value is None or value in _DTYPES else f"must be one of {', '.join(_DTYPES)}"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "must be true or false"
    if isinstance(default, int):
        largest = _LARGEST.get(key, 256)
        if type(value) is not int or value < min(default, 0):
            return "must be a whole number from 0 on"
        return None if value <= largest else f"{largest} is the most that is read from a file"
    if isinstance(default, float):
        most = max(1.0, _REAL_ROOM * abs(default))
        least = -most if default < 0 else 0.0
        return None if type(value) in (int, float) and least <= value <= most else f"must be a number between {least:g} and {most:g}"
    if isinstance(default, str):
        fits = isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() and "/" not in value
        return None if fits else f"must be a word of at most {_LONGEST} printable letters without a slash"
    return None if _is_plain(value) else "must be a number, a word or a short list of them"


def _is_plain(value: Any) -> bool:
    """Of a registered network's other settings: what JSON has, small and flat."""
    if isinstance(value, list):
        return len(value) <= _LONGEST and all(not isinstance(item, list) and _is_plain(item) for item in value)
    small = isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= 1 << 20
    return value is None or small or (isinstance(value, str) and len(value) <= _LONGEST and value.isprintable())


def _shown(value: Any) -> str:
    """A value of the file, cut; nested ones by their kind alone."""
    if isinstance(value, str):
        return repr(value[:40])
    return str(value)[:40] if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 64) else f"({type(value).__name__})"
