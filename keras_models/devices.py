"""Training on several devices or hosts: data parallelism through `keras.distribution`."""

import keras

from keras_models.errors import TrainingError


def use_all_devices(batch: int) -> int:
    """Splits every batch over all devices from now on; weights are copied to each. Call it before a model is built.

    On several hosts call `keras.distribution.initialize()` first; it reads the addresses from the environment.

    Args:
        batch: patches a step, over all devices.

    Returns:
        Number of devices.

    Raises:
        TrainingError: another backend than JAX, or a batch that does not split evenly.
    """
    if keras.backend.backend() != "jax":
        raise TrainingError(f"--all-devices: Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=jax")
    devices = keras.distribution.list_devices()
    if batch % len(devices):
        raise TrainingError(f"--batch {batch}: does not split over {len(devices)} devices: give a multiple of {len(devices)}")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return len(devices)
