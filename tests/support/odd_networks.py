"""Networks as others make them that tiles or a guess would break: strides inside, norms and gates over the whole image, odd values."""

import numpy as np

SCALE = 2


def _random(*shape, seed=0):
    fan_in = np.prod(shape[:-1])
    return (np.random.default_rng(seed).standard_normal(shape) / fan_in**0.5).astype(np.float32)


def _conv(x, channels, seed, size=3, stride=1):
    import tensorflow as tf

    return tf.nn.conv2d(x, _random(size, size, x.shape[-1], channels, seed=seed), stride, "SAME")


def _larger(features, seed):
    """Features at the image's size, as a picture of twice the size."""
    import tensorflow as tf

    return tf.nn.depth_to_space(_conv(features, 12, seed), 2)


def _beside(image, detail):
    """The enlarged image with detail added, as trained networks are."""
    import tensorflow as tf

    copies = np.tile(np.eye(3, dtype=np.float32), (1, SCALE**2))[None, None]
    return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(image, copies, 1, "SAME"), SCALE) + 0.2 * detail}


def unshuffle(image):
    """Real-ESRGAN's x2: the pixels of a 2x2 block become channels; then x4."""
    import tensorflow as tf

    x = tf.nn.relu(_conv(tf.nn.space_to_depth(image, 2), 16, 1))
    return _beside(image, tf.nn.depth_to_space(_conv(x, 48, 2), 4))


def unet(image):
    """Two strided convolutions down and two steps up, with skips: blocks of 4."""
    import tensorflow as tf

    first = tf.nn.relu(_conv(image, 8, 1))
    second = tf.nn.relu(_conv(first, 8, 2, stride=2))
    third = tf.nn.relu(_conv(second, 8, 3, stride=2))
    up = second + tf.nn.depth_to_space(_conv(third, 32, 4), 2)
    return _beside(image, _larger(first + tf.nn.depth_to_space(_conv(up, 32, 5), 2), 6))


def instance_norm(image):
    import tensorflow as tf

    x = _conv(image, 8, 1)
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    return _beside(image, _larger(tf.nn.relu((x - mean) * tf.math.rsqrt(variance + 1e-3)), 2))


def group_norm(image):
    import tensorflow as tf

    x = _conv(image, 8, 1)
    groups = np.kron(np.eye(2, dtype=np.float32), np.full((4, 4), 0.25, np.float32))[None, None]

    def mean(t):
        return tf.nn.conv2d(tf.reduce_mean(t, (1, 2), keepdims=True), groups, 1, "SAME")

    x = x - mean(x)
    return _beside(image, _larger(tf.nn.relu(x * tf.math.rsqrt(mean(x * x) + 1e-3)), 2))


def squeeze_excitation(image):
    import tensorflow as tf

    x = tf.nn.relu(_conv(image, 8, 1))
    gate = tf.sigmoid(20 * _conv(tf.nn.relu(_conv(tf.reduce_mean(x, (1, 2), keepdims=True), 4, 2, 1)), 8, 3, 1))
    return _beside(image, 10 * _larger(x * gate, 4))


def largest_of_all(image):
    """Divided by the image's largest value: one pixel far away decides."""
    import tensorflow as tf

    return _beside(image, _larger(0.3 * image / (tf.reduce_max(image, (1, 2, 3), keepdims=True) + 0.1), 1))


def faint_mean(image):
    """A mean over the image whose part is small, and larger between a dark tile and a bright image."""
    import tensorflow as tf

    return _beside(image, 0.2 * tf.reduce_mean(image, (1, 2), keepdims=True))


def reach_70(image):
    """Ten 3x3 convolutions of dilation 7."""
    import tensorflow as tf

    x = image
    for _ in range(10):
        kernel = np.zeros((3, 3, 3, 3), np.float32)
        kernel[:, :, range(3), range(3)] = np.array([[0, 0.1, 0], [0.6, 0, 0.1], [0, 0.2, 0]])[..., None]
        x = tf.nn.conv2d(x, kernel, 1, "SAME", dilations=7)
    return _beside(image, _larger(x, 9))


def window_attention(image):
    """Attention inside of 8x8 windows: no pixel sees beyond its window."""
    import tensorflow as tf

    mean = tf.nn.avg_pool2d(image, 8, 8, "VALID")
    spread = tf.nn.conv2d_transpose(mean, np.kron(np.ones((8, 8, 1, 1), np.float32), np.eye(3, dtype=np.float32)), tf.shape(image), 8)
    return _beside(image, 3 * _larger(image * spread, 1))


def written_place(image):
    """A fixed pattern is added to the image, as a learned position embedding does."""
    import tensorflow as tf

    return _beside(image + 0.4 * (np.random.default_rng(0).random((1, *image.shape[1:3], 3)) - 0.5).astype(np.float32), 0 * tf.zeros(()))
