"""Which way of computing pays on which backend of Keras."""

import keras


def computes_with_tensorflow_on_cpu() -> bool:
    """Where `keras_models.training.cpu_gradients` pays."""
    return keras.backend.backend() == "tensorflow" and not compiles_with_xla()


def compiles_with_xla() -> bool:
    """Whether XLA pays: always under JAX, under TensorFlow only on a GPU (on CPU it is 8 times slower), never under Torch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return keras.backend.backend() == "jax"
