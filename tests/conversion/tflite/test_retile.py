"""A file written for another tile computes what the file itself computes when it is resized."""

import numpy as np
import pytest
from support.tiny_models import SCALE, convert

from conversion.engines.cpu import CpuEngine
from conversion.tflite.check import parse_checked
from conversion.tflite.file import read_tflite
from conversion.tflite.retile import at_tile
from keras_models.system.errors import ModelError


def test_another_tile_same_function(tiny_model, tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(at_tile(tiny_model("random").read_bytes(), 20, 31))
    file = read_tflite(path)
    assert file.tensors[file.outputs[0]].shape == (1, 20 * SCALE, 31 * SCALE, 3)
    image = np.random.default_rng(0).random((20, 31, 3), dtype=np.float32)
    assert CpuEngine(path).tile == (20, 31)
    assert np.array_equal(CpuEngine(path).run(image), CpuEngine(tiny_model("random")).run(image))


def test_a_size_written_into_the_graph_is_refused(tiny_model):
    with pytest.raises(ModelError, match="cannot run at 20x31"):
        at_tile(tiny_model("fixed").read_bytes(), 20, 31)


def test_a_file_of_free_size_says_no_longer_that_it_is_free():
    """LiteRT.js refuses an image of 256x256 for an input that is said to be of any size."""

    def enlarged(image):
        import tensorflow as tf

        return {"upscaled": tf.nn.depth_to_space(tf.concat([image] * 4, -1), 2)}

    free = convert(enlarged, (1, None, None, 3))
    assert _free_sides(free) and not _free_sides(at_tile(free, 20, 31))


def _free_sides(data):
    tensors = parse_checked(data, "x").subgraphs[0].tensors
    return [tensor.name for tensor in tensors if tensor.shapeSignature is not None and (np.asarray(tensor.shapeSignature) < 0).any()]
