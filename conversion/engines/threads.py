"""How many threads an engine gets: never more than the machine has cores."""

from keras_models.system.errors import ModelError
from keras_models.system.threads import cores


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
