"""How many real pixels a tile needs around its core, measured on the file: what a network does not tell by itself."""

from math import ceil

import numpy as np

from conversion.calibration_images import synthetic_images
from conversion.engines.cpu import CpuEngine

SEAM = 1 / 255
STEP = 8
WINDOW = 128
"""Least side of the window to measure in, where the file runs at any size: the farthest reach that can be seen is 3/4 of it."""


def measure_halo(engine: CpuEngine) -> int:
    """Low-resolution pixels, a multiple of 8, beyond which what lies outside changes no result by 1/255 or more.

    Images that differ only in their first quarter are upscaled; where the results still differ is how far the network
    looks. Rows and columns are measured, with other content, noise, black and white in the changed part.
    """
    height, width = (max(side, WINDOW) if engine.resizable else side for side in engine.tile)
    images = [image[0] for image in synthetic_images(height, width)]
    bases, others = images[:2], [images[2], images[4], images[9], images[11]]
    reach = 0
    for base in bases:
        result = engine.run(base).clip(0, 1)
        for other in others:
            for axis, side in enumerate((height, width)):
                edge = side // 4
                change = [slice(None)] * 2
                change[axis] = slice(edge)
                mixed = base.copy()
                mixed[tuple(change)] = other[tuple(change)]
                difference = np.abs(engine.run(mixed).clip(0, 1) - result).max(axis=(1 - axis, 2))
                seen = np.flatnonzero(difference.reshape(side, engine.scale).max(axis=1) >= SEAM)
                reach = max(reach, int(seen.max(initial=edge - 1)) + 1 - edge)
    return ceil(reach / STEP) * STEP
