"""How a network looks at an image, measured on it: how far around a pixel, and in blocks of what size.

A foreign file tells neither by itself, and a tile that is cut without knowing them shows seams, or other pixels than the whole
image's all over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, lcm

import numpy as np

from conversion.engines.base import UNBOUNDED_HALO, WHOLE_MEMORY, Engine
from keras_models.system.errors import ModelError

SEAM = 1 / 255
FAR = SEAM / 10
"""What may be left of a change at the far end of a window. A mean over the image passes on to there a part of what it passes on
between a tile and a whole image that is darker, or has other contrast; what fades with the distance is far below."""
STEP = 8
WINDOWS = (128, 256, 512)
"""Least sides of the windows to measure in, where the file runs at any size: the farthest reach that can be seen is 3/4 of one."""
STRIDES = sorted(range(1, 65), key=lambda stride: (stride & (stride - 1) != 0, stride))
"""What is tried, powers of two first: the first that fits is the least, as every divisor of a number stands before it."""
_LEFT = 2  # pixels of a fixed window that must be left to compare


@dataclass(frozen=True)
class View:
    """How a network looks at an image, low-resolution pixels.

    Attributes:
        halo: around a tile's core, beyond which nothing changes the result by 1/255 or more; `UNBOUNDED_HALO` for a network whose
            result depends on the whole image, or on a pixel's place in it.
        stride: the least shift of an image that shifts the result and does nothing else to it.
    """

    halo: int
    stride: int


def measure_view(engine: Engine) -> View:
    """Measures on images of all kinds how far a network looks and in what blocks; takes some dozen runs of 128x128 pixels."""
    reach = _measure_reach(engine)
    if reach is None:
        return View(UNBOUNDED_HALO, engine.multiple)
    stride = _measure_stride(engine, reach)
    if stride is None:  # it matters where in a window a pixel stands
        return View(UNBOUNDED_HALO, engine.multiple)
    if engine.resizable:
        # What was changed began at a block's edge; elsewhere a block's other end is farther away.
        return View(ceil((reach + stride - 1) / STEP) * STEP, lcm(stride, engine.multiple))
    return View(reach + stride - 1, stride)


def _measure_reach(engine: Engine) -> int | None:
    """How far beyond a change results differ; None if up to the far end of the largest window there is."""
    for side in WINDOWS if engine.resizable else (0,):
        block = lcm(32, engine.multiple)
        size = tuple(-(-max(own, side) // block) * block for own in engine.tile) if engine.resizable else engine.tile
        if side > WINDOWS[0] and engine.bytes_per_pixel * size[0] * size[1] > WHOLE_MEMORY:
            return None
        limit = min(own - own // 4 for own in size)
        reach = 0
        try:
            for seen in _changes_seen(engine, size[0], size[1]):
                reach = max(reach, int(np.flatnonzero(seen >= SEAM).max(initial=-1)) + 1)
                if reach >= limit or seen[limit * 7 // 8 : limit].max() >= FAR:
                    break
            else:
                return reach
        except ModelError:  # a larger window takes more than a network may, as attention over all pixels does
            if side <= WINDOWS[0]:
                raise
            return None
    return None


def _changes_seen(engine: Engine, height: int, width: int) -> Iterator[np.ndarray]:
    """Changes a quarter of the rows and columns of an image, strongly; gives the largest difference of the result by the distance
    from what was changed, low-resolution pixels.
    """
    from conversion.calibration_images import synthetic_images  # SciPy behind it costs every opening a fifth of a second

    images = [image[0] for image in synthetic_images(height, width)]
    leaves, noise, black, white = images[:3], images[4], images[9], images[11]
    edges = height // 4, width // 4
    rows, columns = np.ogrid[: height - edges[0], : width - edges[1]]
    distance = np.minimum(rows, columns).ravel()
    # A dim image and a single white pixel: the largest value of all decides in some networks.
    for base, others in ((leaves[0] * 0.4, (white, noise)), (leaves[1], (black, leaves[2], white, noise))):
        result = engine.run(base).clip(0, 1)
        for other in others:
            mixed = other.copy()
            mixed[edges[0] :, edges[1] :] = base[edges[0] :, edges[1] :]
            difference = np.nan_to_num(_by_pixel(engine.run(mixed).clip(0, 1) - result, engine.scale))[edges[0] :, edges[1] :]
            seen = np.zeros(distance.max() + 1, np.float32)
            np.maximum.at(seen, distance, difference.ravel())
            yield seen


def _measure_stride(engine: Engine, reach: int) -> int | None:
    """The least shift that the result follows; None if there is none.

    Two windows of one image are compared, the second a few pixels further, where both see all that they look at.
    """
    from conversion.calibration_images import synthetic_images

    if engine.resizable:
        block = lcm(32, engine.multiple)
        side = -(-max(WINDOWS[0], 2 * reach + 96) // block) * block
        height, width = side, side
    else:
        height, width = engine.tile
    most = STRIDES[-1] if engine.resizable else min(STRIDES[-1], min(height, width) - 2 * reach - _LEFT)
    images = synthetic_images(height + max(most, 0), width + max(most, 0))
    wide = [images[4][0], images[0][0]]  # noise tells most, and leaves what matters on photos
    first = [engine.run(np.ascontiguousarray(image[:height, :width])).clip(0, 1) for image in wide]
    for stride in STRIDES:
        margin = reach + (stride + STEP if engine.resizable else 0)
        inner = slice(margin, height - stride - margin), slice(margin, width - stride - margin)
        if stride > most or height - stride - 2 * margin < _LEFT or width - stride - 2 * margin < _LEFT:
            continue
        if all(_follows(engine, image, result, stride, inner) for image, result in zip(wide, first)):
            return stride
    return None


def _follows(engine: Engine, image: np.ndarray, result: np.ndarray, stride: int, inner: tuple[slice, slice]) -> bool:
    """Whether the image, shifted, gives the same result, shifted, inside of the second window's `inner` part."""
    height, width = (side // engine.scale for side in result.shape[:2])
    shifted = engine.run(np.ascontiguousarray(image[stride : stride + height, stride : stride + width])).clip(0, 1)
    place = stride * engine.scale
    difference = result[place:, place:] - shifted[: result.shape[0] - place, : result.shape[1] - place]
    return bool(_by_pixel(difference, engine.scale)[inner].max() < SEAM)


def _by_pixel(difference: np.ndarray, scale: int) -> np.ndarray:
    """(h, w) largest magnitude of a difference (s h, s w, 3), by low-resolution pixel."""
    height, width = (side // scale for side in difference.shape[:2])
    return np.abs(difference).reshape(height, scale, width, scale, -1).max(axis=(1, 3, 4))
