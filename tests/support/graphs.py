"""Small graphs of random weights for tests of rewrites, of the graph between Keras and TFLite and of ONNX files."""

import keras
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from conversion.graph.ir import Node
from conversion.graph.to_keras import to_keras
from conversion.onnx.graph import OnnxGraph


class Nodes:
    """Makes the nodes of a graph, (1, height, width, C) each, with weights out of one generator."""

    def __init__(self, rng, height, width):
        self.rng, self.size = rng, (1, height, width)

    def weights(self, *shape):
        """Random float32 in Keras' layout, the output axis last: values stay about as large as they were."""
        return (self.rng.standard_normal(shape) / max(np.prod(shape[:-1]), 1) ** 0.5).astype(np.float32)

    def image(self, channels=3):
        return Node("image", "input", shape=(*self.size, channels))

    def node(self, name, op, sources, channels, **attrs):
        """A node without weights."""
        return Node(name, op, attrs, {}, sources, (*self.size, channels))

    def conv(self, name, source, kernel, op="conv2d", bias=True, dilation=1):
        channels = kernel[2] if op == "depthwise_conv2d" else kernel[3]
        arrays = {"kernel": self.weights(*kernel), **({"bias": self.weights(channels)} if bias else {})}
        return Node(name, op, {"dilation": dilation}, arrays, [source], (*self.size, channels))

    def norm(self, source, channels, epsilon=1e-5, centred=False):
        arrays = {"gamma": self.weights(channels), "beta": self.weights(channels)}
        attrs = {"epsilon": epsilon, "centred": centred}
        return Node("norm", "pixel_norm", attrs, arrays, [source], (*self.size, channels))


def value_of(graph, images):
    """What a graph makes of (N, h, w, C) images, as a NumPy array."""
    return keras.ops.convert_to_numpy(to_keras(graph, None, None)(images)["upscaled"])


def oihw_weights(rng, *shape):
    """Random float32 in ONNX' layout, the output axis first."""
    return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:], initial=1))).astype(np.float32)


def onnx_graph(*nodes, size=(6, 7), channels=4, **constants):
    """From (op, inputs, output, attributes); "x" is the image, (1, channels, *size), the last output the result."""
    made = [
        helper.make_node(op, inputs.split(), [output], **(more[0] if more else {}))
        for op, inputs, output, *more in nodes
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, channels, *size))
    result = helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(made, "g", [image], [result], held)
    return OnnxGraph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))
