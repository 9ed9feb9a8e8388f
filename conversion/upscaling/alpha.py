"""What the network sees of an image that is not plain RGB: grey as three equal channels, transparency as a grey image of its own.

Colour is multiplied by opacity before the network and divided by it afterwards, so that colour hidden under full transparency, which is
anything at all in real files, can never reach a visible pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from conversion.upscaling.images import ImageKind
from keras_models.system.errors import ModelError

# Low-resolution pixels from here to the nearest other opacity beyond which a network is not asked about opacity.
_FLAT_RADIUS = 3

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Upscaled:
    """A window's result.

    Attributes:
        colour: (H, W, 1 or 3) float32, multiplied by opacity, not clipped.
        alpha: (H, W) float32 in [0, 1], or None where everything is opaque.
    """

    colour: np.ndarray
    alpha: np.ndarray | None


def upscale_window(window: np.ndarray, kind: ImageKind, run: Run, scale: int, seen: "ValueRange") -> Upscaled:
    """Upscale a window of any kind with a network for RGB.

    Args:
        window: (h, w, bands) uint8 or uint16, as the kind says.
        kind: the image's kind.
        run: the network, (h, w, 3) float32 in [0, 1] to (scale * h, scale * w, 3) float32.
        scale: the network's scale.
        seen: takes note of the values that the network is given.

    Returns:
        The result for the whole window, halo included.
    """
    values = window.astype(np.float32) / np.float32(kind.white)
    colour = values[..., : kind.colours]
    if not kind.alpha:
        seen.add(colour)
        return Upscaled(_run_colour(colour, run), None)
    alpha = values[..., -1]
    if alpha.min() == 1:
        seen.add(colour)
        return Upscaled(_run_colour(colour, run), None)
    colour = colour * alpha[..., None]
    seen.add(colour)
    if alpha.max() == 0:
        shape = (window.shape[0] * scale, window.shape[1] * scale)
        return Upscaled(np.zeros((*shape, kind.colours), np.float32), np.zeros(shape, np.float32))
    large_alpha = np.clip(_run_colour(alpha[..., None], run)[..., 0], 0, 1)
    return Upscaled(_run_colour(colour, run), _keep_flat_opacity(large_alpha, alpha, scale))


def network_colour(window: np.ndarray, kind: ImageKind) -> np.ndarray:
    """The colour of a window as the network is given it: (h, w, 3) float32, multiplied by opacity.

    Args:
        window: (h, w, bands) uint8 or uint16, as the kind says.
        kind: the image's kind.
    """
    values = window.astype(np.float32) / np.float32(kind.white)
    colour = values[..., : kind.colours] * (values[..., -1:] if kind.alpha else 1)
    return np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))


def write_samples(result: Upscaled, rows: slice, columns: slice, kind: ImageKind, out: np.ndarray, made: "ValueRange") -> None:
    """Round a part of a result to the file's samples.

    Args:
        result: a window's result.
        rows: the part's rows, high-resolution pixels.
        columns: the part's columns.
        kind: the image's kind.
        out: (rows, columns, bands) uint8 or uint16, filled in.
        made: takes note of the network's values, and refuses what is no number.

    Raises:
        ModelError: the network's result has NaN or infinity.
    """
    colour = result.colour[rows, columns]
    made.add(colour)
    if result.alpha is not None:
        alpha = result.alpha[rows, columns]
        made.refuse_nan(alpha)
        visible = (alpha > 0.5 / kind.white)[..., None]
        colour = np.divide(colour, alpha[..., None], out=np.zeros_like(colour), where=np.broadcast_to(visible, colour.shape))
        out[..., -1] = _rounded(alpha, kind.white)
    elif kind.alpha:
        out[..., -1] = kind.white
    out[..., : kind.colours] = _rounded(colour, kind.white)


class ValueRange:
    """Smallest and largest value of each channel, gathered part by part.

    Attributes:
        low: (channels,) float32, or None before the first part.
        high: (channels,) float32, or None before the first part.
    """

    def __init__(self) -> None:
        self.low: np.ndarray | None = None
        self.high: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        """Take note of (h, w, channels) float32.

        Raises:
            ModelError: a value is NaN or infinite.
        """
        # Over rows first: that is one long vector operation a row, ten times faster than over pixels.
        low = values.min(axis=0).min(axis=0)
        high = values.max(axis=0).max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ModelError("the output has NaN or infinity: the model is broken for this image: convert it as float32, or use another")
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)

    def refuse_nan(self, values: np.ndarray) -> None:
        """Refuse (h, w) float32 with NaN or infinity.

        Raises:
            ModelError: a value is NaN or infinite.
        """
        ValueRange().add(values[..., None])


def _run_colour(colour: np.ndarray, run: Run) -> np.ndarray:
    if colour.shape[-1] == 3:
        return run(np.ascontiguousarray(colour))
    return run(np.repeat(colour, 3, axis=-1)).mean(axis=-1, keepdims=True)


def _keep_flat_opacity(large: np.ndarray, small: np.ndarray, scale: int) -> np.ndarray:
    """Set opacity to exactly 1 (or 0) where the image is opaque (or transparent) all around.

    A network returns 0.998 for a flat 1: a picture would come out not quite opaque, and differ where a wholly opaque window begins.
    """
    padded = np.pad(small, _FLAT_RADIUS, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (2 * _FLAT_RADIUS + 1,) * 2)
    opaque, clear = around.min(axis=(2, 3)) == 1, around.max(axis=(2, 3)) == 0
    enlarge = np.ones((scale, scale), bool)
    large[np.kron(opaque, enlarge)] = 1
    large[np.kron(clear, enlarge)] = 0
    return large


def _rounded(values: np.ndarray, white: int) -> np.ndarray:
    scaled = np.multiply(values, np.float32(white))
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, white, out=scaled).astype(np.uint8 if white == 255 else np.uint16)
