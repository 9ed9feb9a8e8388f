"""Does a file give what its network gives? Measured image by image, each held to what rounding does to the network there."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

import numpy as np

from conversion.calibration_images import photo_like_images
from conversion.engines.cpu import CpuEngine
from conversion.recipes import Recipe
from conversion.source import ModelLike, ModelSource
from conversion.tflite.made_inputs import rounded_feed
from keras_models.system.errors import ModelError


@dataclass(frozen=True)
class Agreement:
    """A file and the network that it was made of.

    Attributes:
        against: the network.
        max_error: largest absolute difference, outputs clipped to [0, 1], on the image that comes nearest to what it is allowed.
        allowed: what it may be on that image; 1 if the recipe has no such bound.
        psnr: dB, on photograph-like images.
    """

    against: str
    max_error: float
    allowed: float
    psnr: float

    def problems(self, recipe: Recipe) -> list[str]:
        """What is wrong, in words."""
        if recipe.psnr is not None:
            return [] if self.psnr >= recipe.psnr else [f"only {self.psnr:.1f} dB to {self.against}"]
        return (
            []
            if self.max_error <= self.allowed
            else [f"differs from {self.against} by {self.max_error:.2g}, {self.allowed:.2g} is allowed"]
        )


def measure_agreement(
    engine: CpuEngine, against: ModelLike, recipe: Recipe, images: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
) -> Agreement:
    """Compares a file with a network.

    Args:
        engine: of the file.
        against: the network.
        recipe: whose bounds the file is held to.
        images: (1, H, W, 3) in [0, 1], the file's tile.
        outputs: what the file makes of each, (H * scale, W * scale, 3).

    Raises:
        ModelError: their scales differ, or the network cannot be read.
    """
    other = ModelSource.of(against).predictor(engine.threads)
    if other.scale != engine.scale:
        raise ModelError(f"{engine.path} is x{engine.scale}, {against} is x{other.scale}: compare models of one scale")
    errors = [_largest(other.run(image[0]), output) for image, output in zip(images, outputs)]
    bounds = [_allowed(engine, recipe, *found) for found in zip(images, outputs, errors)]
    worst = max(zip(errors, bounds), key=lambda found: np.nan_to_num(found[0] / found[1], nan=np.inf))
    squares = [np.square(_shown(other.run(image[0])) - _shown(engine.run(image[0]))).mean() for image in photo_like_images(*engine.tile)]
    return Agreement(ModelSource.of(against).label, *worst, -10 * log10(max(float(np.mean(squares)), 1e-20)))


def _allowed(engine: CpuEngine, recipe: Recipe, image: np.ndarray, output: np.ndarray, error: float) -> float:
    """The recipe's bound; where it is broken, what the file's result moves when the image's values move by `recipe.rounding`, up or down.

    Two right ways to compute a network differ by rounding, and some networks amplify it, on some images by far: SPAN makes 0.005
    of the last bits of noise of zeros and ones, LKDN a thousandth of that.
    """
    if recipe.max_error is None or error <= recipe.max_error:
        return 1.0 if recipe.max_error is None else recipe.max_error
    moved = rounded_feed({0: image[0]}, recipe.rounding)[0]
    return max(recipe.max_error, _largest(engine.run(moved), output))


def _largest(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(_shown(a) - _shown(b)).max())


def _shown(output: np.ndarray) -> np.ndarray:
    return np.clip(output, 0, 1)
