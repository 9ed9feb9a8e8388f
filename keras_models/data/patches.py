"""Batches of training patches: random crops, flips and transposes, a pure function of (seed, step).

Batch k is the same whatever was drawn before, on every machine: each batch has a counter-based generator of its own
(Philox, keyed by seed and step), so a resumed run needs no random state but the step.
"""

import keras
import numpy as np

from keras_models.data.bicubic import shrink
from keras_models.data.data_parallel import own_rows
from keras_models.data.degradation import DEGRADATIONS, degrade
from keras_models.data.photo_set import Photo, PhotoSet
from keras_models.system.errors import TrainingError


class Patches(keras.utils.PyDataset):
    """Pairs of batches: low-res (batch, patch, patch, 3) and high-res (batch, patch s, patch s, 3), float32 RGB in [0, 1].

    Of photos with a teacher's result the high-res side has 6 channels, the last three of them the teacher's.

    Every position of every photo is equally likely; horizontal flip, vertical flip and transpose each with p = 0.5,
    as the authors of LKDN did.

    Args:
        photos: the pairs to cut from; those smaller than a patch are left out and named in `too_small`.
        batch: patches a step.
        patch: side of a patch, low-resolution pixels.
        seed: of the whole run.
        start: step of the first batch.
        stop: step after the last batch.
        degradation: "bicubic" (the pairs as they are), or one of `DEGRADATIONS` (the low-res side is made anew by `degrade`).
        early: steps over which the teacher's result, paired with itself shrunk, gives way to the photos: at step k a patch is such
            a pair with p = 1 - k / early. A small network learns these sooner, since a network made them.

    Raises:
        TrainingError: no photo is large enough, an unknown degradation, or early pairs without a teacher's results.
    """

    def __init__(
        self,
        photos: PhotoSet,
        batch: int,
        patch: int,
        seed: int = 0,
        start: int = 0,
        stop: int = 1,
        degradation: str = "bicubic",
        early: int = 0,
    ) -> None:
        # with one worker Keras leaves the threads to tf.data, whose tuner lets every epoch's end wait: up to a minute at 5,000 steps
        super().__init__(workers=2, use_multiprocessing=False)
        if degradation != "bicubic" and degradation not in DEGRADATIONS:
            raise TrainingError(f"degradation {degradation!r}: give one of bicubic, {', '.join(DEGRADATIONS)}")
        if early and not photos.taught:
            raise TrainingError(f"early {early}: these pairs are made of a teacher's results: give `teacher` MODEL")
        self.scale, self.batch, self.patch, self.seed = photos.scale, batch, patch, seed
        self.start, self.stop, self.degradation, self.early = start, stop, degradation, early
        self.photos = [p for p in photos.photos if min(p.low.shape[:2]) >= patch]
        self.too_small = tuple(
            f"{p.name}: {p.high.shape[1]}x{p.high.shape[0]} is smaller than a patch of {patch * photos.scale} pixels"
            for p in photos.photos
            if min(p.low.shape[:2]) < patch
        )
        if not self.photos:
            raise TrainingError(
                f"{photos.folder}: all {len(photos.photos)} photos are smaller than a patch of {patch * photos.scale} pixels: "
                "give larger photos or a smaller `patch`"
            )
        positions = np.array([(p.low.shape[0] - patch + 1) * (p.low.shape[1] - patch + 1) for p in self.photos], np.float64)
        self._taught = photos.taught
        self._share = np.cumsum(positions / positions.sum())

    def span(self, start: int, stop: int) -> "Patches":
        """The same patches for the steps start to stop."""
        twin = object.__new__(Patches)
        twin.__dict__.update(self.__dict__, start=start, stop=stop)
        return twin

    def __len__(self) -> int:
        """Number of batches."""
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of step `start + index`; of a run over several hosts this one's share."""
        own = own_rows(self.batch)
        low, high = self.at(self.start + index)
        return low[own], high[own]

    def at(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step, whatever the span."""
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, step], np.uint64)))
        large = self.patch * self.scale
        low = np.empty((self.batch, self.patch, self.patch, 3), np.uint8)
        high = np.empty((self.batch, large, large, 6 if self._taught else 3), np.uint8)
        for i in range(self.batch):
            photo = self.photos[min(int(np.searchsorted(self._share, rng.random(), "right")), len(self.photos) - 1)]
            low[i], high[i] = self._cut(photo, rng)
            if step < self.early and rng.random() >= step / self.early:
                high[i, ..., :3] = high[i, ..., 3:]
                low[i] = shrink(high[i, ..., :3], self.scale)
            if self.degradation != "bicubic":
                low[i] = degrade(high[i, ..., :3], self.scale, rng, DEGRADATIONS[self.degradation])
        return low.astype(np.float32) / np.float32(255), high.astype(np.float32) / np.float32(255)

    def _cut(self, photo: Photo, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y, x = (int(rng.integers(side - self.patch + 1)) for side in photo.low.shape[:2])
        flip_x, flip_y, transpose = rng.random(3) < 0.5
        large = [photo.high, photo.taught] if self._taught and photo.taught is not None else [photo.high]
        low, *high = (
            _turn(image[y * s : (y + self.patch) * s, x * s : (x + self.patch) * s], flip_x, flip_y, transpose)
            for image, s in ((photo.low, 1), *((image, self.scale) for image in large))
        )
        return low, np.concatenate(high, axis=-1)


def _turn(image: np.ndarray, flip_x: bool, flip_y: bool, transpose: bool) -> np.ndarray:
    image = image[:, ::-1] if flip_x else image
    image = image[::-1] if flip_y else image
    return image.swapaxes(0, 1) if transpose else image
