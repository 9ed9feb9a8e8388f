"""PSNR-Y of a network over a set of whole photos: the number that a training run watches."""

import keras
import numpy as np

from keras_models.data.photo_set import Photo, PhotoSet
from keras_models.metrics import psnr_y, to_uint8
from keras_models.system.threads import on_all_cores


def validate(network: keras.Model, photos: PhotoSet) -> float:
    """Mean PSNR-Y, dB, over the photos, measured as in `keras_models.metrics`.

    Args:
        network: (1, H, W, 3) float32 RGB in [0, 1] to (1, H scale, W scale, 3).
        photos: low-res and high-res sides.
    """
    def score(photo: Photo) -> float:
        low = photo.low[None].astype(np.float32) / np.float32(255)
        output = keras.ops.convert_to_numpy(network(keras.ops.convert_to_tensor(low), training=False))
        return psnr_y(to_uint8(output[0]), photo.high, photos.scale)

    return float(np.mean(list(on_all_cores(score, photos.photos))))
