"""A batch in parts, one for each core: the cores then wait for one another once a step, not at every operation.

The operations of these networks are small: 8 patches of 32x32 take a fraction of a millisecond, and two cores that share one
operation take 0.7 of one core's time for it. With a part of the batch for each core and one thread for each operation, TensorFlow
runs the parts side by side (`python scripts/measure_step.py`). Each part is computed as before; a weight's gradient is the parts' sum.
"""

from keras_models.system.threads import cores
from keras_models.training.backends import computes_with_tensorflow_on_cpu


def split_over_cores(batch: int) -> None:
    """Lets TensorFlow run the parts of a batch side by side in this process: all that it computes has that many threads an operation.

    For a program that does nothing but train, before TensorFlow computes anything: afterwards it keeps the threads it has, and the
    batch stays whole. Does nothing on a GPU and on other backends.

    Args:
        batch: patches a step.

    Example:
        >>> from keras_models.training.cpu_parts import largest_part_count
        >>> largest_part_count(8, cores=2), largest_part_count(8, cores=6), largest_part_count(5, cores=4)
        (2, 4, 1)
    """
    if not computes_with_tensorflow_on_cpu():
        return
    import tensorflow as tf

    parts = largest_part_count(batch, cores())
    try:
        tf.config.threading.set_inter_op_parallelism_threads(parts)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // parts))
    except RuntimeError:  # it has computed already
        return


def parts_of(batch: int) -> int:
    """How many parts of a batch TensorFlow runs side by side: 1 unless `split_over_cores` was called in time."""
    if not computes_with_tensorflow_on_cpu():
        return 1
    import tensorflow as tf

    asked = tf.config.threading.get_inter_op_parallelism_threads()
    return asked if asked and batch % asked == 0 else 1


def largest_part_count(batch: int, cores: int) -> int:
    """The most equal parts of a batch, at most one for each core."""
    return max(parts for parts in range(1, min(batch, cores) + 1) if batch % parts == 0)
