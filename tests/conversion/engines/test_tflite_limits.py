"""What a foreign .tflite may take after its proof: no loops, and memory counted at the size that runs, not by what stands in the file."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_models import convert

import keras_models
from conversion.engines import base
from conversion.engines.base import refuse_large_window
from conversion.engines.cpu import CpuEngine
from conversion.engines.proof import prove
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.file import read_tflite
from conversion.tflite.live_bytes import live_bytes_per_pixel
from keras_models.system.errors import ModelError

CHANNELS = 600


def wide(image):
    """An image enlarged, and as much as nothing of many channels."""
    import tensorflow as tf

    kernel = np.tile(np.eye(3, dtype=np.float32), (1, 4))[None, None]
    many = tf.nn.relu(tf.nn.conv2d(image, np.full((1, 1, 3, CHANNELS), 1e-3, np.float32), 1, "SAME"))
    few = tf.nn.conv2d(many, np.full((1, 1, CHANNELS, 3), 1e-6, np.float32), 1, "SAME")
    return {"upscaled": tf.nn.depth_to_space(tf.nn.conv2d(image + few, kernel, 1, "SAME"), 2)}


def waiting(image):
    """Turns without end where the image is bright."""
    import tensorflow as tf

    def goes_on(turn, _):
        return (tf.reduce_mean(image) > 0.9) | (turn < 1)

    turned = tf.while_loop(goes_on, lambda turn, x: (tf.minimum(turn + 1, 5), x * 1.0), [tf.constant(0), image])[1]
    return {"upscaled": tf.repeat(tf.repeat(tf.reshape(turned, tf.shape(image)), 2, 1), 2, 2)}


def test_memory_is_that_of_the_size_that_runs(tmp_path):
    honest, lying = tmp_path / "honest.tflite", tmp_path / "lying.tflite"
    honest.write_bytes(convert(wide, (1, None, None, 3)))
    model = parse_checked(honest.read_bytes(), "x")
    for tensor in model.subgraphs[0].tensors:
        if tensor.shape is not None and len(tensor.shape) == 4 and tensor.shape[3] == CHANNELS and tensor.shapeSignature is not None:
            tensor.shape = np.array([1, 1, 1, 1], np.int32)
    lying.write_bytes(packed(model))
    assert prove(honest).resizable and prove(lying).resizable
    assert prove(honest).bytes_per_pixel >= 4 * CHANNELS
    assert prove(lying).bytes_per_pixel == prove(honest).bytes_per_pixel


def test_loops_are_refused(tmp_path):
    (tmp_path / "a.tflite").write_bytes(convert(waiting))
    with pytest.raises(ModelError, match="WHILE is control flow, which may run for ever: convert a network without loops"):
        CpuEngine(tmp_path / "a.tflite", 1)


def test_what_xnnpack_keeps_to_itself_is_counted_at_the_files_size():
    """Proven at another size, its tensors still have the file's shapes: a hundred times the window's, which was once believed."""
    shipped = Path(keras_models.__file__).parent / "weights/lkdn-s-x4.tflite"
    proof = prove(shipped)
    assert proof.resizable and proof.bytes_per_pixel == live_bytes_per_pixel(read_tflite(shipped)) < 4000


def test_a_window_whose_images_alone_fill_the_memory_is_refused(tmp_path, monkeypatch):
    """A kilobyte whose input was 524,304 pixels high took 15 GB: a dozen images of its size are made to see how it looks at them."""

    def nearest(image):
        import tensorflow as tf

        return {"upscaled": tf.nn.depth_to_space(tf.concat([image] * 4, -1), 2)}

    path = tmp_path / "a.tflite"
    path.write_bytes(convert(nearest, (1, 256, 16, 3)))
    for bytes_a_pixel, refused in ((399, True), (401, False)):
        monkeypatch.setattr(base, "WHOLE_MEMORY", bytes_a_pixel * 256 * 128)
        if refused:
            with pytest.raises(ModelError, match="its window of 256x16 pixels is too large to be looked at"):
                CpuEngine(path, 1)
        else:
            assert CpuEngine(path, 1).tile == (256, 16)
    monkeypatch.undo()
    refuse_large_window(path, (3000, 3000))
    with pytest.raises(ModelError, match="in 4 GiB"):
        refuse_large_window(path, (524304, 16))
