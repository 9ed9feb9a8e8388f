"""How many real pixels a tile needs around its core, measured on the network: what a foreign file does not tell by itself."""

from math import ceil

import numpy as np

from conversion.engines.base import UNBOUNDED_HALO, Engine

SEAM = 1 / 255
STEP = 8
WINDOWS = (128, 256, 512)
"""Least sides of the windows to measure in, where the file runs at any size: the farthest reach that can be seen is 3/4 of one."""


def measure_halo(engine: Engine) -> int:
    """Low-resolution pixels beyond which nothing changes a result by 1/255 or more; a multiple of 8, unless the window is fixed.

    Images that differ only in their first quarter are upscaled; where the results still differ is how far the network
    looks. Rows and columns are measured, with other content, noise, black and white in the changed part. A network that
    looks across the largest window that there is has `UNBOUNDED_HALO`.
    """
    for window in WINDOWS if engine.resizable else (0,):
        height, width = (max(side, window) for side in engine.tile) if engine.resizable else engine.tile
        reach, limit = _reach(engine, height, width), min(height, width) * 3 // 4
        if reach < limit:
            return ceil(reach / STEP) * STEP if engine.resizable else reach
    return UNBOUNDED_HALO


def _reach(engine: Engine, height: int, width: int) -> int:
    """How far beyond the changed quarter of a window results differ, low-resolution pixels."""
    from conversion.calibration_images import synthetic_images  # SciPy behind it costs every opening a fifth of a second

    images = [image[0] for image in synthetic_images(height, width)]
    leaves, noise, black, white = images[:3], images[4], images[9], images[11]
    reach = 0
    for base in leaves[:2]:
        result = engine.run(base).clip(0, 1)
        for other in (leaves[2], noise, black, white):
            for axis, side in enumerate((height, width)):
                edge = side // 4
                change = [slice(None)] * 2
                change[axis] = slice(edge)
                mixed = base.copy()
                mixed[tuple(change)] = other[tuple(change)]
                difference = np.abs(engine.run(mixed).clip(0, 1) - result).max(axis=(1 - axis, 2))
                seen = np.flatnonzero(difference.reshape(side, engine.scale).max(axis=1) >= SEAM)
                reach = max(reach, int(seen.max(initial=edge - 1)) + 1 - edge)
    return reach
