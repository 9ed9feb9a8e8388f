"""Tiny .tflite files around one operation, written with the schema: what the GPU checker is compared with the engine on."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

MAP = (1, 8, 8, 4)
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3  # fused activations
SAME, VALID = 0, 1  # paddings
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2, np.dtype(np.bool_): 6, np.dtype(np.int64): 4}


class Net:
    """A graph in the making: `x` is the input, `op` adds an operation and gives its (first) output."""

    def __init__(self, shape=MAP):
        self.model = schema.ModelT()
        self.model.version, self.model.operatorCodes, self.model.buffers = 3, [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.x = self._tensor(shape)
        self.shape = shape

    def op(self, name, *inputs, out=None, dtype=np.float32, options=None, version=1, outs=None, **values):
        """Inputs are tensors of the graph or arrays; `out` is the output's shape (the graph input's unless given), `outs` several."""
        indices = [i if isinstance(i, int) else self._constant(i) for i in inputs]
        shapes = outs or [out or self.shape]
        outputs = [self._tensor(shape, kind) for shape, kind in zip(shapes, dtype if isinstance(dtype, list) else [dtype] * len(shapes))]
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, name), version
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes) - 1, indices, outputs
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options + "Options")
            operator.builtinOptions = getattr(schema, options + "OptionsT")()
            for key, value in values.items():
                assert hasattr(operator.builtinOptions, key), key
                setattr(operator.builtinOptions, key, value)
        self.graph.operators.append(operator)
        return outputs if outs else outputs[0]

    def write(self, path, output):
        self.graph.inputs, self.graph.outputs = [self.x], [output]
        self.model.subgraphs = [self.graph]
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        Path(path).write_bytes(builder.Output())

    def _tensor(self, shape, dtype=np.float32):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.hasRank = list(shape), _TYPES[np.dtype(dtype)], f"t{len(self.graph.tensors)}", True
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _constant(self, array):
        array = np.asarray(array)
        index = self._tensor(array.shape, array.dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.graph.tensors[index].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return index


def constant(*shape):
    return (np.random.default_rng(5).random(shape) + 0.5).astype(np.float32)


def ints(*values):
    return np.asarray(values, np.int32)


CASES = {}
"""Case name -> (operation it is about, input shape, function from a `Net` to the output tensor)."""


def case(operation, what="", shape=MAP):
    def add(function):
        CASES[f"{operation} {what}".strip()] = (operation, shape, function)

    return add


def simple(operation, *inputs, what="", shape=MAP, **arguments):
    case(operation, what, shape)(lambda net: net.op(operation, net.x, *inputs, **arguments))


_PLAIN = ["ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "LOG", "LOGISTIC", "NEG", "ROUND", "SIGN", "SIN", "SQRT", "SQUARE", "TANH", "RSQRT"]
_PLAIN += ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "HARD_SWISH"]
for name in _PLAIN:
    simple(name)
simple("RELU", version=3, what="version 3")
simple("GELU", options="Gelu", approximate=False, what="erf")
simple("GELU", options="Gelu", approximate=True, what="tanh")
simple("LEAKY_RELU", options="LeakyRelu", alpha=0.1)
simple("SOFTMAX", options="Softmax", beta=1.0)
simple("SOFTMAX", options="Softmax", beta=2.0, what="beta 2")
simple("LOG_SOFTMAX", options="LogSoftmax")
simple("L2_NORMALIZATION", options="L2Norm")
simple("LOCAL_RESPONSE_NORMALIZATION", options="LocalResponseNormalization", radius=2, bias=1.0, alpha=1.0, beta=0.5)
simple("ZEROS_LIKE", options="ZerosLike")
simple("PRELU", constant(1, 1, 4))
simple("PRELU", constant(8, 8, 4), what="a slope for every value")

_BINARY = {"ADD": "Add", "MUL": "Mul", "SUB": "Sub", "DIV": "Div", "MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum", "POW": "Pow",
           "SQUARED_DIFFERENCE": "SquaredDifference", "FLOOR_DIV": "FloorDiv", "FLOOR_MOD": "FloorMod"}  # fmt: skip
for name, kind in _BINARY.items():
    case(name, "of two values")(lambda net, n=name, k=kind: net.op(n, net.x, net.op("SQRT", net.x), options=k))
    case(name, "constant first")(lambda net, n=name, k=kind: net.op(n, constant(*MAP), net.x, options=k))
    case(name, "of one value twice")(lambda net, n=name, k=kind: net.op(n, net.x, net.x, options=k))
    simple(name, constant(4), options=kind, what="with a vector")
for name in ("ADD", "MUL"):
    simple(name, constant(8, 8, 4), options=_BINARY[name], what="with a constant of rank 3")
    simple(name, np.float32(1.5), options=_BINARY[name], what="with a scalar")
    simple(name, constant(4), options=_BINARY[name], version=4, what="version 4")
simple("ADD", constant(4), options="Add", fusedActivationFunction=RELU, what="with relu")
_keep = {"options": "Reducer", "keepDims": True}


def _sum(net, axes, shape):
    return net.op("SUM", net.x, ints(*axes), out=shape, **_keep)


case("MUL", "broadcast over channels")(lambda net: net.op("MUL", net.x, _sum(net, (3,), (1, 8, 8, 1)), options="Mul"))
case("MUL", "broadcast over the map")(lambda net: net.op("MUL", net.x, _sum(net, (1, 2), (1, 1, 1, 4)), options="Mul"))
case("ADD_N")(lambda net: net.op("ADD_N", net.x, net.op("SQRT", net.x), net.op("COS", net.x), options="AddN"))
case("ADD_N", "of two")(lambda net: net.op("ADD_N", net.x, net.op("SQRT", net.x), options="AddN"))

_conv = {"options": "Conv2D", "padding": SAME, "strideW": 1, "strideH": 1, "out": (1, 8, 8, 8)}
_wide = (1, 8, 8, 8)
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv)
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv | {"strideW": 2, "strideH": 2, "out": (1, 4, 4, 8)}, what="stride 2")
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv, dilationHFactor=2, dilationWFactor=2, what="dilation 2")
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv, fusedActivationFunction=RELU6, what="with relu6")
simple("CONV_2D", constant(8, 3, 3, 2), constant(8), **_conv, what="in groups of 2 channels")
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv, shape=_wide, what="in groups of 4 channels")
simple("CONV_2D", constant(8, 3, 3, 4), constant(8), **_conv, version=7, what="version 7")
_depthwise = {"options": "DepthwiseConv2D", "padding": SAME, "strideW": 1, "strideH": 1, "depthMultiplier": 1}
simple("DEPTHWISE_CONV_2D", constant(1, 5, 5, 4), constant(4), **_depthwise)
_dilated = _depthwise | {"dilationHFactor": 3, "dilationWFactor": 3, "version": 2}
simple("DEPTHWISE_CONV_2D", constant(1, 5, 5, 4), constant(4), **_dilated, what="dilation 3")
simple("DEPTHWISE_CONV_2D", constant(1, 3, 3, 8), constant(8), **_depthwise | {"depthMultiplier": 2}, out=_wide, what="multiplier 2")
case("TRANSPOSE_CONV")(
    lambda net: net.op(
        "TRANSPOSE_CONV",
        ints(1, 16, 16, 8),
        constant(8, 3, 3, 4),
        net.x,
        options="TransposeConv",
        padding=SAME,
        strideW=2,
        strideH=2,
        out=(1, 16, 16, 8),
    )  # fmt: skip
)
simple("FULLY_CONNECTED", constant(6, 4), constant(6), options="FullyConnected", shape=(1, 4), out=(1, 6))
simple("BATCH_MATMUL", constant(1, 4, 6), options="BatchMatMul", shape=(1, 6, 4), out=(1, 6, 6), what="with a constant")
case("BATCH_MATMUL", "of two values", (1, 2, 6, 4))(
    lambda net: net.op("BATCH_MATMUL", net.x, net.op("SQRT", net.x), options="BatchMatMul", adjY=True, out=(1, 2, 6, 6))
)
case("BATCH_MATMUL", "of one value twice", (1, 2, 6, 4))(
    lambda net: net.op("BATCH_MATMUL", net.x, net.x, options="BatchMatMul", adjY=True, out=(1, 2, 6, 6))
)
_pool = {"options": "Pool2D", "padding": VALID, "strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2, "out": (1, 4, 4, 4)}
simple("AVERAGE_POOL_2D", **_pool)
simple("MAX_POOL_2D", **_pool)


def _joined(net, count, axis=3, twice=False):
    parts = [net.x, *(net.x if twice else net.op("ADD", net.x, np.float32(i), options="Add") for i in range(1, count))]
    shape = list(MAP)
    shape[axis] *= count
    return net.op("CONCATENATION", *parts, options="Concatenation", axis=axis, out=shape)


for count in (2, 5, 8):
    case("CONCATENATION", f"of {count}")(lambda net, n=count: _joined(net, n))
case("CONCATENATION", "of rows")(lambda net: _joined(net, 2, axis=1))
case("CONCATENATION", "of one value twice")(lambda net: _joined(net, 2, twice=True))


def _split(net, together, kind="SPLIT"):
    if kind == "UNPACK":
        first, second = net.op("UNPACK", net.x, options="Unpack", num=2, axis=1, outs=[(1, 8, 4)] * 2)
        half = (1, 8, 4)
    elif kind == "SPLIT":
        first, second = net.op("SPLIT", ints(3).reshape(()), net.x, options="Split", numSplits=2, outs=[(1, 8, 8, 2)] * 2)
        half = (1, 8, 8, 2)
    else:
        first, second = net.op("SPLIT_V", net.x, ints(4, 4), ints(3).reshape(()), options="SplitV", numSplits=2, outs=[MAP] * 2)
        half = MAP
    return net.op("SUB", first, second if together else net.op("SQRT", second, out=half), options="Sub", out=half)


for kind, shape in {"SPLIT": MAP, "SPLIT_V": _wide, "UNPACK": (1, 2, 8, 4)}.items():
    case(kind, "", shape)(lambda net, k=kind: _split(net, False, k))
    case(kind, "both halves into one operation", shape)(lambda net, k=kind: _split(net, True, k))
simple("SLICE", ints(0, 1, 2, 0), ints(1, 5, 4, 4), options="Slice", out=(1, 5, 4, 4))
simple("SLICE", ints(0, 1), ints(1, 5), options="Slice", shape=(1, 8), out=(1, 5), what="of rank 2")
_slice = {"options": "StridedSlice", "out": (1, 4, 4, 4)}
simple("STRIDED_SLICE", ints(0, 0, 0, 0), ints(1, 8, 8, 4), ints(1, 2, 2, 1), **_slice)
simple("STRIDED_SLICE", ints(0, 1), ints(1, 5), ints(1, 1), options="StridedSlice", shape=(1, 8), out=(1, 4), what="of rank 2")
simple("STRIDED_SLICE", ints(0, 1, 0, 0), ints(1, 2, 8, 4), ints(1, 1, 1, 1), options="StridedSlice", shrinkAxisMask=2, out=(1, 8, 4),
       what="with a shrink mask")  # fmt: skip
simple("PAD", ints(0, 0, 1, 2, 3, 4, 0, 0).reshape(4, 2), options="Pad", out=(1, 11, 15, 4))
simple("PAD", ints(0, 0, 1, 2).reshape(2, 2), options="Pad", shape=(1, 8), out=(1, 11), what="of rank 2")
simple("PADV2", ints(0, 0, 1, 2, 3, 4, 0, 0).reshape(4, 2), np.float32(0.5), options="PadV2", out=(1, 11, 15, 4))
for mode, what in enumerate(("reflect", "symmetric")):
    simple("MIRROR_PAD", ints(0, 0, 1, 2, 3, 4, 0, 0).reshape(4, 2), options="MirrorPad", mode=mode, out=(1, 11, 15, 4), what=what)
simple("DEPTH_TO_SPACE", options="DepthToSpace", blockSize=2, out=(1, 16, 16, 1))
simple("DEPTH_TO_SPACE", options="DepthToSpace", blockSize=1, what="block 1")
simple("SPACE_TO_DEPTH", options="SpaceToDepth", blockSize=2, out=(1, 4, 4, 16))
for name, kind in {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}.items():
    for corners, centres, what in ((0, 1, "half pixel"), (1, 0, "align corners"), (0, 0, ""), (1, 1, "both")):
        simple(name, ints(16, 24), options=kind, alignCorners=bool(corners), halfPixelCenters=bool(centres), out=(1, 16, 24, 4), what=what)
simple("TRANSPOSE", ints(0, 2, 1, 3), options="Transpose")
simple("TRANSPOSE", ints(0, 3, 1, 2), options="Transpose", out=(1, 4, 8, 8), what="to channels first")
simple("TRANSPOSE", ints(0, 1, 3, 2, 4), options="Transpose", shape=(1, 4, 2, 3, 4), out=(1, 4, 3, 2, 4), what="of rank 5")
simple("RESHAPE", ints(1, 4, 16, 4), options="Reshape", newShape=[1, 4, 16, 4], out=(1, 4, 16, 4))
simple("TILE", ints(1, 2, 2, 1), options="Tile", out=(1, 16, 16, 4))
case("PACK", "", (1, 8, 4))(lambda n: n.op("PACK", n.x, n.op("SQRT", n.x), options="Pack", valuesCount=2, axis=1, out=(1, 2, 8, 4)))
simple("EXPAND_DIMS", ints(1).reshape(()), options="ExpandDims", shape=(1, 8, 4), out=(1, 1, 8, 4))
simple("SQUEEZE", options="Squeeze", squeezeDims=[1], shape=(1, 1, 8, 4), out=(1, 8, 4))
simple("REVERSE_V2", ints(1), options="ReverseV2")
for name in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
    simple(name, ints(3), out=(1, 8, 8, 1), **_keep, what="over channels")
    simple(name, ints(1, 2), out=(1, 1, 1, 4), **_keep, what="over the map")
simple("MEAN", ints(3), options="Reducer", out=(1, 8, 8), what="over channels, axis dropped")
simple("CUMSUM", ints(1).reshape(()), options="Cumsum")
simple("GATHER", ints(2, 0, 3), options="Gather", axis=1, out=(1, 3, 8, 4))
simple("GATHER_ND", ints(0, 1, 0, 3).reshape(2, 2), options="GatherNd", out=(2, 8, 4))


def _steps(net):
    """The input times ten, as int32."""
    scaled = net.op("MUL", net.x, np.float32(10), options="Mul")
    return net.op("CAST", scaled, dtype=np.int32, options="Cast", inDataType=0, outDataType=2)


def _float(net, tensor, shape=None):
    return net.op("CAST", tensor, out=shape, options="Cast", inDataType=2, outDataType=0)


case("CAST", "to int32 and back")(lambda net: _float(net, _steps(net)))


def _halves(net):
    return net.op("CAST", net.x, dtype=np.float16, options="Cast", inDataType=0, outDataType=1)


def _chosen(net, comparison, select):
    """The larger or smaller of two values by a comparison and a selection."""
    root = net.op("SQRT", net.x)
    kind = {"GREATER": "Greater", "LESS": "Less"}[comparison]
    return net.op(select, net.op(comparison, net.x, root, dtype=np.bool_, options=kind), net.x, root, options=_SELECTS[select])


_SELECTS = {"SELECT": "Select", "SELECT_V2": "SelectV2"}
for name in ("ARG_MAX", "ARG_MIN"):
    kind = {"options": name[:3].title() + name[4:].title(), "outputType": 2, "out": (1, 8, 8), "dtype": np.int32}
    case(name)(lambda net, n=name, k=kind: _float(net, net.op(n, net.x, ints(3), **k), (1, 8, 8)))
case("CAST", "to half and back")(lambda net: net.op("CAST", _halves(net), options="Cast", inDataType=1))
case("ADD", "of int32")(lambda net: _float(net, net.op("ADD", _steps(net), ints(3), dtype=np.int32, options="Add")))
case("ONE_HOT", "", (1, 8))(
    lambda net: net.op("ONE_HOT", _steps(net), ints(5).reshape(()), np.float32(1), np.float32(0), options="OneHot", axis=-1, out=(1, 8, 5))
)
case("GREATER")(lambda net: _chosen(net, "GREATER", "SELECT_V2"))
case("LESS")(lambda net: _chosen(net, "LESS", "SELECT_V2"))
case("SELECT")(lambda net: _chosen(net, "LESS", "SELECT"))
case("SELECT_V2")(lambda net: _chosen(net, "LESS", "SELECT_V2"))
case("DEQUANTIZE")(
    lambda net: net.op("MUL", net.x, net.op("DEQUANTIZE", constant(4).astype(np.float16), out=(4,), version=3), options="Mul")
)
case("TOPK_V2")(
    lambda net: net.op("TOPK_V2", net.x, ints(2).reshape(()), options="TopKV2", outs=[(1, 8, 8, 2)] * 2, dtype=[np.float32, np.int32])[
        0
    ]  # fmt: skip
)
case("BROADCAST_TO")(lambda net: net.op("BROADCAST_TO", _sum(net, (3,), (1, 8, 8, 1)), ints(*MAP), options="BroadcastTo", version=2))
simple("SPACE_TO_BATCH_ND", ints(2, 2), ints(0, 0, 0, 0).reshape(2, 2), options="SpaceToBatchND", out=(4, 4, 4, 4))
simple("BATCH_TO_SPACE_ND", ints(2, 2), ints(0, 0, 0, 0).reshape(2, 2), options="BatchToSpaceND", shape=(4, 4, 4, 4), out=MAP)
case("SHAPE")(
    lambda net: net.op(
        "RESHAPE", net.op("SQRT", net.x), net.op("SHAPE", net.x, dtype=np.int32, options="Shape", outType=2, out=(4,)), options="Reshape"
    )  # fmt: skip
)
case("FILL")(lambda net: net.op("ADD", net.x, net.op("FILL", ints(*MAP), np.float32(2), options="Fill"), options="Add"))


def build(folder: Path) -> dict[str, Path]:
    """Case name -> file."""
    files = {}
    for number, (name, (_, shape, function)) in enumerate(CASES.items()):
        net = Net(shape)
        path = folder / f"{number}.tflite"
        net.write(path, function(net))
        files[name] = path
    return files


def enlarging(path, operation):
    """A x2 file of nearest neighbour and one more operation."""
    net = Net((1, 16, 16, 3))
    big = net.op("RESIZE_NEAREST_NEIGHBOR", net.x, np.asarray([32, 32], np.int32), options="ResizeNearestNeighbor", out=(1, 32, 32, 3))
    net.write(path, operation(net, big))
    return path
