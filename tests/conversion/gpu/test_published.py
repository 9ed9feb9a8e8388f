"""What is published of other engines: a list refuses what is not on it, and OpenGL a mean over channels."""

import numpy as np
import pytest
from support.gpu_op_models import Net, constant, ints

from conversion.gpu.published import published_takers


def left_of(path, name):
    """What the engine of that name does not take."""
    return {taker.name: taker.left for taker in published_takers(path)}[name]


def written(path, make):
    net = Net()
    net.write(path, make(net))
    return path


def mean_over(*axes):
    shape = tuple(1 if i in axes else side for i, side in enumerate((1, 8, 8, 4)))
    return lambda net: net.op("MEAN", net.x, ints(*axes), out=shape, options="Reducer", keepDims=True)


@pytest.mark.parametrize(("axes", "left"), [((3,), ("1 MEAN not over height and width",)), ((-1,), ("1 MEAN not over height and width",)),
                                            ((1, 2), ()), ((1,), ("1 MEAN not over height and width",))])  # fmt: skip
def test_opengl_takes_means_over_height_and_width_alone(tmp_path, axes, left):
    assert left_of(written(tmp_path / "x.tflite", mean_over(*axes)), "OpenGL") == left
    assert left_of(tmp_path / "x.tflite", "MediaTek") == ()


def test_mediatek_lacks_squares_and_shuffles(tmp_path):
    def make(net):
        return net.op("DEPTH_TO_SPACE", net.op("SQUARE", net.x), out=(1, 16, 16, 1), options="DepthToSpace", blockSize=2)

    path = written(tmp_path / "x.tflite", make)
    assert left_of(path, "MediaTek") == ("1 SQUARE", "1 DEPTH_TO_SPACE")
    assert left_of(path, "Qualcomm") == left_of(path, "OpenGL") == ()


def test_opengl_takes_nothing_that_opencl_refuses(tmp_path):
    path = written(tmp_path / "x.tflite", lambda net: net.op("MUL", net.x, net.op("ABS", net.x, net.x), options="Mul"))
    assert left_of(path, "OpenGL") == ("ABS: 2 computed inputs, 1 is taken",)


def test_a_gelu_is_said_to_be_computed_otherwise(tmp_path):
    path = written(tmp_path / "x.tflite", lambda net: net.op("GELU", net.x, options="Gelu", approximate=False))
    said = {taker.name: taker.notes for taker in published_takers(path)}
    assert said["OpenGL"] and said["MediaTek"] and not said["Qualcomm"]


def test_a_convolution_in_groups(tmp_path):
    def make(net):
        return net.op("CONV_2D", net.x, constant(4, 1, 1, 2), constant(4), options="Conv2D", padding=0, strideW=1, strideH=1)

    assert left_of(written(tmp_path / "x.tflite", make), "OpenGL") == ("1 CONV_2D in groups",)


@pytest.mark.parametrize(("dilation", "left"), [(1, ("1 RSQRT behind a 1x1 convolution",)), (2, ())])
def test_a_root_behind_a_1x1_convolution_does_not_compile(tmp_path, dilation, left):
    """Seen on Google's own OpenGL back end, on Mesa's llvmpipe: nan redeclared."""

    def make(net):
        options = {"padding": 0, "strideW": 1, "strideH": 1, "dilationWFactor": dilation, "dilationHFactor": dilation}
        energy = net.op("CONV_2D", net.x, constant(1, 1, 1, 4), constant(1), options="Conv2D", out=(1, 8, 8, 1), **options)
        return net.op("RSQRT", net.op("ADD", energy, constant(1), options="Add", out=(1, 8, 8, 1)), out=(1, 8, 8, 1))

    assert left_of(written(tmp_path / "x.tflite", make), "OpenGL") == left


def test_the_shipped_float_files_are_taken_by_opengl_once_they_are_converted_again(tmp_path):
    """The norm is products and convolutions; the shipped files are older and have a mean over channels."""
    import conversion

    conversion.convert("lkdn-s-x4", tmp_path / "x.tflite", recipe="float16", tile=(16, 16))
    assert left_of(tmp_path / "x.tflite", "OpenGL") == () and left_of(tmp_path / "x.tflite", "MediaTek") == ("1 DEPTH_TO_SPACE",)
    shipped = conversion.ModelSource.of("lkdn-s-x4").tflite()
    assert left_of(shipped, "OpenGL") == ("5 MEAN not over height and width",)
    assert np.isin("5 SQUARE", left_of(shipped, "MediaTek"))
