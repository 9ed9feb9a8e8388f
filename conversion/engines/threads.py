"""How many threads an engine gets: never more than the machine has cores."""

import os

from keras_models.system.errors import ModelError


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def usable_threads(asked: int | None) -> int:
    """The threads to start: all cores if none are asked for, and at most all. More would only wait, and
    thousands take gigabytes.

    Raises:
        ModelError: below 1.
    """
    if asked is None:
        return cores()
    if asked < 1:
        raise ModelError(f"{asked} threads: give 1 or more")
    return min(asked, cores())
