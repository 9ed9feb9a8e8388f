"""Photos that stay on a device, and patches that are cut there (by JAX here): a fast device would wait for patches that a CPU cuts."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_models.data.photo_set import PhotoSet
from keras_models.system.errors import TrainingError


class DevicePhotos(NamedTuple):
    """Pairs on a device, filled up to one size.

    Attributes:
        low: (N, h, w, 3) uint8.
        high: (N, h scale, w scale, 3) uint8.
        places: (N, 2) int32, how many rows and columns a patch may begin at.
        share: (N,) float32, the cumulated share of a photo in all places.
    """

    low: Any
    high: Any
    places: Any
    share: Any


def to_device(photos: PhotoSet, patch: int) -> DevicePhotos:
    """Puts photos on the first device of JAX, or of PyTorch under that backend.

    Args:
        photos: those smaller than a patch are left out.
        patch: side of a patch, low-resolution pixels.

    Raises:
        TrainingError: no photo is large enough.
    """
    kept = [photo for photo in photos.photos if min(photo.low.shape[:2]) >= patch]
    if not kept:
        raise TrainingError(f"{photos.folder}: all photos are smaller than a patch of {patch * photos.scale} pixels: give larger ones")
    height, width = (max(photo.low.shape[axis] for photo in kept) for axis in (0, 1))
    low = np.zeros((len(kept), height, width, 3), np.uint8)
    high = np.zeros((len(kept), height * photos.scale, width * photos.scale, 3), np.uint8)
    for index, photo in enumerate(kept):
        low[index, : photo.low.shape[0], : photo.low.shape[1]] = photo.low
        high[index, : photo.high.shape[0], : photo.high.shape[1]] = photo.high
    places = np.array([[side - patch + 1 for side in photo.low.shape[:2]] for photo in kept], np.int32)
    share = np.cumsum(places.prod(axis=1) / places.prod(axis=1).sum()).astype(np.float32)
    return DevicePhotos(*map(keras.ops.convert_to_tensor, (low, high, places, share)))


def cut(photos: DevicePhotos, key: Any, batch: int, patch: int) -> tuple[Any, Any]:
    """Random patches, each of the eight ways to turn and mirror it alike; every place of every photo alike.

    Args:
        photos: of `to_device`.
        key: of `jax.random`, from which all chance comes.
        batch: how many.
        patch: side, low-resolution pixels.

    Returns:
        (batch, patch, patch, 3) and (batch, patch scale, patch scale, 3), float32 in [0, 1].
    """
    import jax

    return jax.vmap(lambda one: _cut_one(photos, one, patch))(jax.random.split(key, batch))


def _cut_one(photos: DevicePhotos, key: Any, patch: int) -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    which, where, turn = jax.random.split(key, 3)
    index = jnp.minimum(jnp.searchsorted(photos.share, jax.random.uniform(which), side="right"), len(photos.share) - 1)
    y, x = (jax.random.uniform(where, (2,)) * photos.places[index]).astype(jnp.int32)
    flip_x, flip_y, transpose = jax.random.bernoulli(turn, 0.5, (3,))
    scale = photos.high.shape[1] // photos.low.shape[1]

    def part(images: Any, factor: int) -> Any:
        size = (1, patch * factor, patch * factor, 3)
        image = jax.lax.dynamic_slice(images, (index, y * factor, x * factor, 0), size)[0]
        image = jnp.where(flip_x, image[:, ::-1], image)
        image = jnp.where(flip_y, image[::-1], image)
        return jnp.where(transpose, image.swapaxes(0, 1), image).astype(jnp.float32) / 255

    return part(photos.low, 1), part(photos.high, scale)
