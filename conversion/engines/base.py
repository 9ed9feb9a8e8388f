"""What `upscale` asks of an engine: a super-resolution network that runs on a window of an image."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from keras_models.system.errors import ModelError

if TYPE_CHECKING:
    from conversion.engines.whole_image import Window

DEFAULT_HALO = 32
"""Of an engine that does not know better. Within 1/255 of the whole-image result for every network of the project; 16 is not, 24 is
not for LKDN x3."""

UNBOUNDED_HALO = 1 << 20
"""Of a network whose windows may not be tiles: it looks as far as anybody measured, perhaps at the whole image, or its result
depends on a pixel's place in the window."""

WHOLE_MEMORY = 4 << 30
"""Bytes that a network may take for a window, and one that can only run on whole images for these."""

_LOOKING = 400
"""Bytes a pixel of a window that it takes to measure how a network looks at an image, on a dozen images at a time."""
_LEAST_LOOKED_AT = 128
"""Sides of that window, where a file's own are smaller and can be changed."""


def refuse_large_window(path: Path, tile: tuple[int, int]) -> None:
    """Refuses a file whose own window is so large that already its images would fill the memory, whatever the network takes.

    Raises:
        ModelError: it is.
    """
    if _LOOKING * max(tile[0], _LEAST_LOOKED_AT) * max(tile[1], _LEAST_LOOKED_AT) > WHOLE_MEMORY:
        raise ModelError(
            f"{path}: its window of {tile[0]}x{tile[1]} pixels is too large to be looked at in {WHOLE_MEMORY >> 30} GiB: convert the "
            "network again with a smaller `tile`"
        )


class Engine(Protocol):
    """Runs a super-resolution network on a window; `engines.cpu.CpuEngine` is one.

    One with `passes` above 1 is a `SettlingEngine`. `multiple` is what the sides of a window must be multiples of.
    """

    scale: int
    tile: tuple[int, int]
    resizable: bool
    multiple: int
    passes: int

    @property
    def halo(self) -> int:
        """Real pixels around a tile's core that the network needs to see, low-resolution pixels."""

    @property
    def stride(self) -> int:
        """Windows start at multiples of it, low-resolution pixels: what is shifted by it comes out the same, shifted."""

    @property
    def bytes_per_pixel(self) -> float:
        """What the intermediates need, a pixel of the window."""

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale (h, w, 3) float32 in [0, 1] to (scale * h, scale * w, 3) float32."""


@runtime_checkable
class SettlingEngine(Engine, Protocol):
    """Wants to see all of an image before it enlarges any of it; `engines.whole_image.WholeImageEngine` is one."""

    def settle(self, windows: Callable[[], Iterable["Window"]], count: int, report: Callable[[int], None] = ...) -> None:
        """As `engines.whole_image.WholeImageEngine.settle`."""
