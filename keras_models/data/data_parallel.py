"""Training on several devices or hosts: data parallelism through `keras.distribution`."""

import os

import keras

from keras_models.system.errors import TrainingError


def use_all_devices(batch: int) -> int:
    """Splits every batch over all devices from now on; weights are copied to each. Call it before a model is built.

    On several hosts each runs the same command, with Keras' environment variables: KERAS_DISTRIBUTION_JOB_ADDRESSES (the first
    host's address and port), _NUM_PROCESSES and _PROCESS_ID.

    Args:
        batch: patches a step, over all devices.

    Returns:
        Number of devices.

    Raises:
        TrainingError: another backend than JAX, or a batch that does not split evenly.
    """
    if keras.backend.backend() != "jax":
        raise TrainingError(f"several devices: Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=jax")
    if "KERAS_DISTRIBUTION_JOB_ADDRESSES" in os.environ:
        keras.distribution.initialize()
    devices = keras.distribution.list_devices()
    if batch % len(devices):
        raise TrainingError(f"`batch` {batch}: does not split over {len(devices)} devices: give a multiple of {len(devices)}")
    # Keras would share out only a tf.data set between hosts; our patches are shared out by `own_rows`.
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False))
    return len(devices)


def own_rows(batch: int) -> slice:
    """The rows of a batch that this process feeds: all of them, but in a run over several hosts."""
    if keras.distribution.distribution() is None:
        return slice(None)
    import jax

    share = batch // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)
