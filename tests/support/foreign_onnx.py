"""ONNX networks in the forms that others' exporters write: one small graph for each operation or layout that may be met."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCALE = 2


class Net:
    """A graph in the making, channels first: `op` adds a node and gives its output, `conv` a convolution with random weights."""

    def __init__(self, opset=17, channels=3, size=("h", "w"), dtype=TensorProto.FLOAT, domain_shape=None, seed=0):
        self.random, self.nodes, self.constants = np.random.default_rng(seed), [], []
        self.opset, self.channels, self.size, self.dtype = opset, channels, size, dtype
        self.shape = domain_shape or (1, channels, *size)
        self.x = "x"

    def value(self, array, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def op(self, kind, *inputs, outs=1, **attributes):
        names = [f"t{len(self.nodes)}_{i}" for i in range(outs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names if outs > 1 else names[0]

    def conv(self, x, before, after, size=3, bias=True, **attributes):
        group = attributes.get("group", 1)
        weight = self.random.standard_normal((after, before // group, size, size)) / (size * size * before / group) ** 0.5
        attributes.setdefault("pads", [size // 2] * 4)
        biases = [self.value(0.01 * self.random.standard_normal(after))] if bias else []
        return self.op("Conv", x, self.value(weight), *biases, **attributes)

    def upsample(self, x, scale=SCALE, **attributes):
        return self.op("Resize", x, "", self.value([1, 1, scale, scale]), **attributes)

    def shuffle(self, x, scale=SCALE, mode="CRD"):
        return self.op("DepthToSpace", x, blocksize=scale, mode=mode)

    def finish(self, y):
        image = helper.make_tensor_value_info(self.x, self.dtype, self.shape)
        result = helper.make_tensor_value_info(y, self.dtype, [None] * 4)
        graph = helper.make_graph(self.nodes, "foreign", [image], [result], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10 if self.opset > 20 else 8)


def beside(net, features, before=8, scale=SCALE, **skip):
    """The enlarged image, by nearest neighbours unless said otherwise, with detail added."""
    detail = net.op("Mul", net.shuffle(net.conv(features, before, 3 * scale**2, bias=False), scale), net.value(0.05))
    skip = skip or {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return net.finish(net.op("Add", net.upsample("x", scale, **skip), detail))


def _body(net, channels=8):
    return net.op("Relu", net.conv("x", 3, channels))


def _skip(**skip):
    def make():
        net = Net()
        return beside(net, _body(net), **skip)

    return make


def _padded(mode, reach=1):
    def make():
        net = Net()
        pads = net.value([0, 0, reach, reach, 0, 0, reach, reach], np.int64)
        return beside(net, net.op("Relu", net.conv(net.op("Pad", "x", pads, mode=mode), 3, 8, 2 * reach + 1, pads=[0] * 4)))

    return make


def _activated(*kinds, **attributes):
    def make():
        net = Net()
        x = net.conv("x", 3, 8)
        for kind in kinds:
            x = net.op(kind, x, **attributes)
        return beside(net, net.conv(x, 8, 8))

    return make


def upconv(mode="nearest", **attributes):
    """Real-ESRGAN's way up: enlarge, then convolve."""

    def make():
        net = Net()
        x = net.upsample(_body(net), mode=mode, **(attributes or {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}))
        detail = net.op("Mul", net.conv(net.op("LeakyRelu", net.conv(x, 8, 8), alpha=0.2), 8, 3), net.value(0.05))
        return net.finish(net.op("Add", net.upsample("x", mode="linear"), detail))

    return make


def upsample_of_opset_9():
    net = Net(opset=9)
    x = net.op("Upsample", _body(net), net.value([1, 1, 2, 2]), mode="nearest")
    return net.finish(net.op("Add", net.op("Upsample", "x", net.value([1, 1, 2, 2]), mode="nearest"), net.conv(x, 8, 3, bias=False)))


def unshuffle(block=2, side=32):
    """torch.nn.PixelUnshuffle, as torch.onnx writes it."""
    net = Net(size=(side, side))
    inner = side // block
    x = net.op("Reshape", "x", net.value([1, 3, inner, block, inner, block], np.int64))
    x = net.op("Transpose", x, perm=[0, 1, 3, 5, 2, 4])
    x = net.op("Reshape", x, net.value([1, 3 * block**2, inner, inner], np.int64))
    x = net.op("Relu", net.conv(x, 3 * block**2, 16))
    detail = net.op("Mul", net.shuffle(net.conv(x, 16, 3 * (SCALE * block) ** 2, bias=False), SCALE * block), net.value(0.1))
    return net.finish(net.op("Add", net.upsample("x", mode="linear"), detail))


def group_normalization(opset=21):
    """The operation; of opset 18 its scale is a number a group."""
    net = Net(opset=opset)
    count = 8 if opset > 20 else 2
    scale, shift = net.value(1 + 0.1 * np.arange(count)), net.value(0.1 * np.arange(count))
    return beside(net, net.op("GroupNormalization", _body(net), scale, shift, num_groups=2, epsilon=1e-3))


def group_norm_of_torch(side=32):
    """Reshape, InstanceNormalization, Reshape, as torch.onnx writes it below opset 18."""
    net = Net(size=(side, side))
    x = net.op("Reshape", _body(net), net.value([0, 2, -1], np.int64))
    x = net.op("InstanceNormalization", x, net.value(np.ones(2)), net.value(np.zeros(2)), epsilon=1e-3)
    x = net.op("Reshape", x, net.value([1, 8, side, side], np.int64))
    x = net.op("Mul", x, net.value(np.linspace(0.5, 1, 8).reshape(8, 1, 1)))
    return beside(net, net.op("Add", x, net.value(np.linspace(0, 0.1, 8).reshape(8, 1, 1))))


def instance_norm():
    net = Net()
    scale, shift = net.value(np.linspace(0.5, 1, 8)), net.value(np.linspace(0, 0.1, 8))
    return beside(net, net.op("InstanceNormalization", _body(net), scale, shift, epsilon=1e-3))


def attention_over_channels(side=32):
    """Restormer's: queries and keys are normalised by ReduceL2, over all pixels."""
    net = Net(size=(side, side))
    x = _body(net)
    q, k, v = (net.op("Reshape", net.conv(x, 8, 8, 1), net.value([1, 2, 4, side * side], np.int64)) for _ in range(3))
    q, k = (net.op("Div", t, net.op("Clip", net.op("ReduceL2", t, axes=[-1], keepdims=1), net.value(1e-12))) for t in (q, k))
    weights = net.op("Softmax", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    x = net.op("Reshape", net.op("MatMul", weights, v), net.value([1, 8, side, side], np.int64))
    return beside(net, net.conv(x, 8, 8, 1))


def gate(activation="Sigmoid", **attributes):
    """Squeeze and excitation."""

    def make():
        net = Net()
        x = _body(net)
        g = net.op("Relu", net.conv(net.op("GlobalAveragePool", x), 8, 4, 1))
        return beside(net, net.op("Mul", x, net.op(activation, net.conv(g, 4, 8, 1), **attributes)))

    return make


def transposed_conv():
    """FSRCNN's way up."""
    net = Net()
    weight = net.value(net.random.standard_normal((8, 3, 4, 4)) / 20)
    detail = net.op("ConvTranspose", _body(net), weight, strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[4, 4])
    return net.finish(net.op("Add", net.upsample("x", mode="linear"), detail))


def unet():
    """Strided convolutions down, nearest neighbours and a transposed convolution up."""
    net = Net()
    first = _body(net)
    second = net.op("Relu", net.conv(first, 8, 8, strides=[2, 2]))
    third = net.op("MaxPool", net.op("Relu", net.conv(second, 8, 8)), kernel_shape=[2, 2], strides=[2, 2])
    up = net.op("Add", second, net.upsample(third, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    weight = net.value(net.random.standard_normal((8, 8, 2, 2)) / 6)
    return beside(net, net.op("Concat", first, net.op("ConvTranspose", up, weight, strides=[2, 2], kernel_shape=[2, 2]), axis=1), 16)


def prelus():
    """Real-ESRGAN's small networks."""
    net = Net()
    x = net.op("PRelu", net.conv("x", 3, 8), net.value(np.linspace(0, 0.5, 8).reshape(8, 1, 1)))
    return beside(net, x)


def channel_shuffle(side=32):
    net = Net(size=(side, side))
    x = net.op("Reshape", net.conv(_body(net), 8, 8, group=2), net.value([1, 2, 4, side, side], np.int64))
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3, 4]), net.value([1, 8, side, side], np.int64))
    return beside(net, net.conv(x, 8, 8, group=2))


def window_attention(side=32, window=8):
    """SwinIR's: windows of 8x8, softmax over their pixels."""
    net = Net(size=(side, side))
    n = side // window
    x = net.op("Transpose", _body(net), perm=[0, 2, 3, 1])
    x = net.op("Transpose", net.op("Reshape", x, net.value([1, n, window, n, window, 8], np.int64)), perm=[0, 1, 3, 2, 4, 5])
    x = net.op("Reshape", x, net.value([n * n, window * window, 8], np.int64))
    weights = net.op("Softmax", net.op("MatMul", x, net.op("Transpose", x, perm=[0, 2, 1])), axis=-1)
    x = net.op("Reshape", net.op("MatMul", weights, x), net.value([1, n, n, window, window, 8], np.int64))
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 1, 3, 2, 4, 5]), net.value([1, side, side, 8], np.int64))
    return beside(net, net.op("Transpose", x, perm=[0, 3, 1, 2]))


def channels_last():
    """As tf2onnx writes it."""
    net = Net(domain_shape=(1, "h", "w", 3))
    x = net.op("Transpose", "x", perm=[0, 3, 1, 2])
    detail = net.shuffle(net.conv(net.op("Relu", net.conv(x, 3, 8)), 8, 12, bias=False), mode="DCR")
    y = net.op("Add", net.upsample(x, mode="linear"), net.op("Mul", detail, net.value(0.1)))
    return net.finish(net.op("Transpose", y, perm=[0, 2, 3, 1]))


def brightness():
    """ESPCN, on one channel."""
    net = Net(channels=1)
    x = net.op("Tanh", net.conv("x", 1, 8, 5))
    detail = net.op("Mul", net.shuffle(net.conv(x, 8, 4, bias=False)), net.value(0.1))
    return net.finish(net.op("Add", net.upsample("x", mode="linear"), detail))


def denoiser():
    """Scale 1."""
    net = Net()
    return net.finish(net.op("Sub", "x", net.op("Mul", net.conv(_body(net), 8, 3, bias=False), net.value(0.1))))


def of_255(mean=0.0):
    """Values 0..255; the network's own numbers are such that 0..1 gives another picture."""

    def make():
        net = Net()
        x = net.op("Div", net.op("Sub", "x", net.value(127.5)), net.value(127.5))
        detail = net.op("Mul", net.shuffle(net.conv(net.op("Relu", net.conv(x, 3, 8)), 8, 12, bias=False)), net.value(0.02))
        y = net.op("Add", net.upsample(net.op("Clip", x, net.value(-1), net.value(1)), mode="linear"), detail)
        y = net.op("Add", net.op("Mul", y, net.value(127.5)), net.value(127.5))
        return net.finish(net.op("Add", y, net.value(np.reshape(mean, (-1, 1, 1)))) if np.any(mean) else y)

    return make


def bytes_in():
    """uint8 in and out, as some servers want it."""
    net = Net(dtype=TensorProto.UINT8)
    x = net.op("Div", net.op("Cast", "x", to=TensorProto.FLOAT), net.value(255))
    detail = net.op("Mul", net.shuffle(net.conv(net.op("Relu", net.conv(x, 3, 8)), 8, 12, bias=False)), net.value(0.1))
    y = net.op("Clip", net.op("Add", net.upsample(x, mode="linear"), detail), net.value(0), net.value(1))
    return net.finish(net.op("Cast", net.op("Round", net.op("Mul", y, net.value(255))), to=TensorProto.UINT8))


def half(make):
    """The same network in half precision."""

    def halved():
        model = make()
        for held in (*model.graph.input, *model.graph.output):
            held.type.tensor_type.elem_type = TensorProto.FLOAT16
        for index, tensor in enumerate(model.graph.initializer):
            value = numpy_helper.to_array(tensor)
            resized = any(node.op_type == "Resize" and tensor.name in node.input for node in model.graph.node)
            if value.dtype == np.float32 and not resized:
                model.graph.initializer[index].CopyFrom(numpy_helper.from_array(value.astype(np.float16), tensor.name))
        return model

    return halved


CUBIC = {"mode": "cubic", "cubic_coeff_a": -0.75}
CONVERTED = {
    "nearest, then a convolution": upconv(),
    "nearest, x3": _skip(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor"),
    "Upsample of opset 9": upsample_of_opset_9,
    "bilinear": upconv("linear", coordinate_transformation_mode="half_pixel"),
    "bilinear, corners aligned": _skip(mode="linear", coordinate_transformation_mode="align_corners"),
    "bilinear, asymmetric": _skip(mode="linear", coordinate_transformation_mode="asymmetric"),
    "bicubic": _skip(**CUBIC, coordinate_transformation_mode="half_pixel"),
    "bicubic, corners aligned": _skip(**CUBIC, coordinate_transformation_mode="align_corners"),
    "reflect padding": _padded("reflect"),
    "reflect padding of 3": _padded("reflect", 3),
    "edge padding": _padded("edge"),
    "HardSigmoid": _activated("HardSigmoid", alpha=1 / 6),
    "HardSwish": _activated("HardSwish"),
    "Softplus": _activated("Softplus"),
    "Elu": _activated("Elu"),
    "PixelUnshuffle": unshuffle,
    "PixelUnshuffle of 4": lambda: unshuffle(4),
    "GroupNormalization": group_normalization,
    "GroupNorm of torch": group_norm_of_torch,
    "InstanceNormalization": instance_norm,
    "ReduceL2 attention": attention_over_channels,
    "squeeze and excitation": gate(),
    "squeeze and excitation, HardSigmoid": gate("HardSigmoid"),
    "transposed convolution": transposed_conv,
    "U-Net": unet,
    "PRelu": prelus,
    "channel shuffle": channel_shuffle,
    "window attention": window_attention,
    "channels last": channels_last,
    "half precision": half(prelus),
}


def written(make, path):
    """Writes a network, checked, and gives the path."""
    model = make()
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
