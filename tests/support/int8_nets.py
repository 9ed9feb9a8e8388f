"""8-bit .tflite files written with the schema: every quantization parameter is the test's own."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from support.gpu_op_models import SAME, Net

KINDS = {np.int8: (schema.TensorType.INT8, -128), np.uint8: (schema.TensorType.UINT8, 0)}


class Int8Net(Net):
    """A `Net` whose tensors have a scale and a zero point; `x` is an image of 0 to 1, (1, h, w, 3)."""

    def __init__(self, side=16, kind=np.int8, channels=3):
        self.type, self.lowest = KINDS[kind]
        self.kind = kind
        super().__init__((1, side, side, channels))
        self.quantize(self.x, 1 / 255, self.lowest)

    def quantize(self, tensor, scale, zero):
        """Makes a tensor one of 8 bits."""
        told = schema.QuantizationParametersT()
        told.scale, told.zeroPoint = np.asarray([scale], np.float32), np.asarray([zero], np.int64)
        self.graph.tensors[tensor].quantization, self.graph.tensors[tensor].type = told, self.type
        return tensor

    def op8(self, name, *inputs, scale, zero, **more):
        """As `op`; the result has these parameters, and the shape of the first input unless `out` says otherwise."""
        more.setdefault("out", self.side_of(inputs[0]))
        return self.quantize(self.op(name, *inputs, **more), scale, zero)

    def constant8(self, steps, scale, zero=0):
        """A constant by its steps, an array of the net's 8 bits."""
        index = self._constant(np.asarray(steps).astype(self.kind).view(np.int8).astype(np.float32))
        self.model.buffers[self.graph.tensors[index].buffer].data = np.asarray(steps).astype(self.kind).view(np.uint8).ravel()
        return self.quantize(index, scale, zero)

    def conv(self, source, channels, rng, scale, zero, before=1 / 255):
        """A 1x1 convolution of random weights; `before` is its input's scale."""
        kernel = self.constant8(rng.integers(-127, 128, (channels, 1, 1, self.side_of(source)[-1])), 0.01)
        bias = self._constant(rng.integers(-2000, 2000, channels).astype(np.int32))
        told = schema.QuantizationParametersT()
        told.scale, told.zeroPoint = np.asarray([before * 0.01], np.float32), np.zeros(1, np.int64)
        self.graph.tensors[bias].quantization = told
        out = (*self.side_of(source)[:3], channels)
        return self.op8(
            "CONV_2D",
            source,
            kernel,
            bias,
            scale=scale,
            zero=zero,
            out=out,
            options="Conv2D",
            padding=SAME,
            strideW=1,
            strideH=1,
            version=3,
        )

    def side_of(self, tensor):
        """A tensor's shape."""
        return tuple(self.graph.tensors[tensor].shape)
