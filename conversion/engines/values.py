"""What numbers a network takes and gives for colours: range, order of the channels, or brightness alone.

Everything else here knows only RGB in [0, 1]; `Values` goes between that and a file's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_models.system.errors import ModelError

RANGES: dict[str, tuple[float, float]] = {"0..1": (0.0, 1.0), "0..255": (0.0, 255.0), "-1..1": (-1.0, 1.0)}
"""Name -> what black and white are."""
ORDERS = ("rgb", "bgr")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Brightness of red, green and blue: ITU-R BT.601."""


@dataclass(frozen=True)
class Said:
    """What a user says of a file's values, None where it is measured.

    Attributes:
        range: of what goes in, a name of `RANGES`.
        order: of the channels that go in, one of `ORDERS`.

    Raises:
        ModelError: another word.
    """

    range: str | None = None
    order: str | None = None

    def __post_init__(self) -> None:
        for option, word, known in (("`range`", self.range, tuple(RANGES)), ("`order`", self.order, ORDERS)):
            if word is not None and word not in known:
                raise ModelError(f"{option} {word}: give {', '.join(known)}")


NOTHING_SAID = Said()


@dataclass(frozen=True)
class Values:
    """A file's values.

    Attributes:
        taken: name of the range of what goes in.
        given: name of the range of what comes out.
        swapped_in: it takes blue, green, red.
        swapped_out: it gives blue, green, red.
        mean: three numbers subtracted before, in [0, 1], RGB.
        deviation: three numbers that the difference is divided by, as classifiers of photos want it.
    """

    taken: str = "0..1"
    given: str = "0..1"
    swapped_in: bool = False
    swapped_out: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def plain(self) -> bool:
        """True if nothing is to be done."""
        return self == PLAIN

    def to_network(self, image: np.ndarray) -> np.ndarray:
        """(h, w, C) RGB in [0, 1] as the file's own, float32."""
        low, high = RANGES[self.taken]
        if any(self.mean):
            image = (image - np.array(self.mean[: image.shape[-1]], np.float32)) / np.array(self.deviation[: image.shape[-1]], np.float32)
        if self.swapped_in:
            image = image[..., ::-1]
        return image if (low, high) == (0, 1) else image * np.float32(high - low) + np.float32(low)

    def from_network(self, result: np.ndarray) -> np.ndarray:
        """The inverse, for what comes out."""
        low, high = RANGES[self.given]
        if (low, high) != (0, 1):
            result = (result - np.float32(low)) * np.float32(1 / (high - low))
        return result[..., ::-1] if self.swapped_out else result

    def as_text(self) -> str:
        """A few words."""
        words = [f"{self.taken} in", f"{self.given} out"] if self.taken != self.given else [self.taken]
        if self.swapped_in or self.swapped_out:
            words.append("BGR in, RGB out" if not self.swapped_out else "RGB in, BGR out" if not self.swapped_in else "BGR")
        else:
            words.append("RGB")
        if any(self.mean):
            words.append("less a mean of " + " ".join(f"{value:.3f}" for value in self.mean))
        if self.deviation != (1.0, 1.0, 1.0):
            words.append("divided by " + " ".join(f"{value:.3f}" for value in self.deviation))
        return ", ".join(words)


PLAIN = Values()

Infer = Callable[[np.ndarray], np.ndarray]
"""(h, w, C) float32 of a file's own values to (s h, s w, C) float32."""


def through(values: Values, channels: int, scale: int, window: np.ndarray, infer: Infer) -> np.ndarray:
    """Runs a network of any values on RGB in [0, 1].

    A network of one channel gets the brightness; colour is enlarged by bicubic interpolation beside it.

    Args:
        values: the network's.
        channels: 3 or 1.
        scale: upscaling factor.
        window: (h, w, 3) float32 RGB in [0, 1].
        infer: the network.

    Returns:
        (s h, s w, 3) float32 RGB, not clipped.
    """
    if channels == 3:
        return values.from_network(infer(values.to_network(window)))
    from keras_models.data.bicubic import enlarge

    luma = (window @ LUMA)[..., None]
    large = values.from_network(infer(values.to_network(luma)))
    colour = window - luma
    return large + (enlarge(colour, scale) if scale > 1 else colour)
