"""Tiny super-resolution .tflite files, made once a session, and engines that misbehave on purpose."""

import functools
import os
from pathlib import Path

import numpy as np
import pytest

from support.made_once import made_once

SCALE = 2
TILE = 16
# Three 5x5 convolutions see 2 pixels further each.
RECEPTIVE_FIELD = 6


class FakeEngine:
    """Any NumPy function as an engine."""

    bytes_per_pixel = 4000.0  # as a network that allows the smallest default tile

    def __init__(self, function, scale=SCALE, tile=(TILE, TILE), resizable=True, multiple=1):
        self.function, self.scale, self.tile, self.resizable, self.multiple = function, scale, tile, resizable, multiple
        self.passes, self.halo, self.stride = 1, 32, multiple
        self.windows = []

    def run(self, window_nhwc):
        self.windows.append(window_nhwc.shape)
        return self.function(window_nhwc)


def nearest(window):
    return window.repeat(SCALE, 0).repeat(SCALE, 1)


def convert(function, shape=(1, TILE, TILE, 3), representative=None):
    """Convert a TensorFlow function to the bytes of a .tflite; with representative images to int8 in and out."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    spec = tf.TensorSpec(shape, tf.float32, name="image")
    concrete = tf.function(function, input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if representative is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def _nearest_graph(image):
    """Nearest neighbour as a 1x1 convolution and depth to space: exact for every float32."""
    import tensorflow as tf

    kernel = np.tile(np.eye(3, dtype=np.float32), (1, SCALE**2))[None, None]
    return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(image, kernel, 1, "SAME"), SCALE)}


def _detail(image):
    """Three random 5x5 convolutions that see no flat colour: what a tile loses at its border is large."""
    import tensorflow as tf

    random = np.random.default_rng(7)
    features = image
    for before, after in ((3, 8), (8, 8), (8, 12)):
        kernel = random.normal(0, 1.4 * (25 * before) ** -0.5, (5, 5, before, after)).astype(np.float32)
        features = tf.nn.conv2d(features, kernel - kernel.mean(axis=(0, 1)), 1, "SAME")
        features = tf.nn.relu(features) if after == 8 else features
    return tf.nn.depth_to_space(features, SCALE)


def _random_graph(image):
    return {"upscaled": _detail(image) + _nearest_graph(image)["upscaled"]}


def _fixed_graph(image):
    """The same, its skip connection a resize to a size that is written into the graph: the file cannot be resized."""
    import tensorflow as tf

    return {"upscaled": _detail(image) + tf.image.resize(image, (TILE * SCALE, TILE * SCALE), method="nearest")}


def _classifier_graph(image):
    import tensorflow as tf

    return {"classes": tf.reduce_mean(image, (1, 2))}


def _uneven_graph(image):
    import tensorflow as tf

    return {"stretched": tf.image.resize(image, (TILE * 2, TILE * 3), method="nearest")}


def _representative():
    random = np.random.default_rng(3)
    return [random.random((1, TILE, TILE, 3), dtype=np.float32) for _ in range(4)]


_GRAPHS = {
    "nearest": functools.partial(convert, _nearest_graph),
    "random": functools.partial(convert, _random_graph),
    "fixed": functools.partial(convert, _fixed_graph),
    "int8": lambda: convert(_nearest_graph, representative=_representative()),
    "classifier": functools.partial(convert, _classifier_graph),
    "uneven": functools.partial(convert, _uneven_graph),
    "free_size": functools.partial(convert, _nearest_graph, (1, None, None, 3)),
}


@pytest.fixture(scope="session")
def tiny_model(run_folder):
    """A function from a name to the path of that tiny .tflite, made at its first use, once for all workers."""

    def make(name: str) -> Path:
        def write(folder: Path) -> None:
            (folder / f"{name}.tflite").write_bytes(_GRAPHS[name]())

        return made_once(run_folder / f"tiny_{name}", write) / f"{name}.tflite"

    return make


@pytest.fixture(scope="session")
def nearest_engine(tiny_model):
    from conversion.engines.cpu import CpuEngine

    return CpuEngine(tiny_model("nearest"), threads=1)
