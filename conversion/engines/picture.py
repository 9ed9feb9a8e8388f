"""Is what a network makes the picture that it was given? Shrunk again it must look like it, and not turned, mirrored or moved."""

from collections.abc import Callable, Iterator

import numpy as np

LIKE = 0.8
"""Correlation with the picture above which a result is an enlarging of it: networks with a skip have 0.95 and more."""
_CLEARLY_LIKE = 0.9
_GAIN = 0.03  # by which another place must fit better
_MOST_MOVED = 3


def measure_picture(run: Callable[[np.ndarray], np.ndarray], size: tuple[int, int], scale: int) -> str:
    """What is wrong with the picture that a network makes of dead leaves, "" if nothing is.

    Args:
        run: (h, w, 3) float32 RGB in [0, 1] to (scale h, scale w, 3).
        size: (h, w) to run at.
        scale: upscaling factor.
    """
    from conversion.calibration_images import synthetic_images

    image = synthetic_images(*size)[0][0]
    result = run(image)
    if not np.isfinite(result).all():
        return "its result is no number"
    small = result.reshape(size[0], scale, size[1], scale, -1).mean(axis=(1, 3))
    alike = _correlation(small, image)
    others = {what: _correlation(small, other) for what, other in _others(image)}
    what = max(others, key=others.__getitem__)
    if others[what] >= _CLEARLY_LIKE and others[what] > alike + _GAIN:
        return f"the picture comes out {what}"
    if alike < LIKE:
        return f"what comes out is not the picture enlarged (correlation {alike:.2f})"
    return ""


def _others(image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "inverted", 1 - image
    yield "mirrored", image[:, ::-1]
    yield "upside down", image[::-1]
    yield "turned by 180 degrees", image[::-1, ::-1]
    if image.shape[0] == image.shape[1]:
        yield "with rows and columns exchanged", image.swapaxes(0, 1)
        yield "turned by 90 degrees", np.rot90(image)
        yield "turned by 270 degrees", np.rot90(image, 3)
    for down in range(-_MOST_MOVED, _MOST_MOVED + 1):
        for right in range(-_MOST_MOVED, _MOST_MOVED + 1):
            if down or right:
                yield f"moved by {right} pixels to the right and {down} down", np.roll(image, (down, right), (0, 1))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of brightness, away from the border."""
    edge = max(_MOST_MOVED, min(one.shape[:2]) // 8)
    one, other = (picture[edge:-edge, edge:-edge].mean(axis=-1).ravel() for picture in (one, other))
    spread = float(one.std() * other.std())
    return float(np.mean((one - one.mean()) * (other - other.mean()))) / spread if spread > 0 else 0.0
