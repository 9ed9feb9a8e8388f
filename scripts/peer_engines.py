"""Other runtimes behind one call each: OpenVINO, onnxruntime, PyTorch, and LiteRT itself, for scripts/bench_peers.py.

An engine is a function from an image (1, h, w, 3) float32 to (1, sh, sw, 3); those that read an ONNX turn the layout around
outside of what is timed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

Run = Callable[[], object]


class Timed:
    """One engine ready to run one size.

    Attributes:
        go: runs it on the image that `feed` gave; this is what is timed.
    """

    def __init__(self, feed: Callable[[np.ndarray], None], go: Run, fetch: Callable[[], np.ndarray]) -> None:
        self.feed, self.go, self.fetch = feed, go, fetch

    def __call__(self, image_nhwc: np.ndarray) -> np.ndarray:
        """The result, (1, sh, sw, 3) float32."""
        self.feed(image_nhwc)
        self.go()
        return self.fetch()


def litert(path: Path, height: int, width: int, threads: int) -> Timed:
    """LiteRT's interpreter with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, (1, height, width, 3))
    interpreter.allocate_tensors()
    return Timed(lambda image: interpreter.set_tensor(source, image), interpreter.invoke, lambda: interpreter.get_tensor(target))


def openvino(path: Path, height: int, width: int, threads: int) -> Timed:
    """OpenVINO on the CPU in float32, reading an .onnx or a .tflite; latency settings, one stream."""
    import openvino as ov

    channels_last = path.suffix == ".tflite"
    core = ov.Core()
    model = core.read_model(str(path)) if channels_last else core.read_model(static_onnx(path, height, width).SerializeToString())
    if channels_last:
        model.reshape([1, height, width, 3])
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", {**settings, "ENABLE_CPU_PINNING": False}).create_infer_request()
    tensor = request.get_input_tensor()

    def feed(image: np.ndarray) -> None:
        tensor.data[:] = image if channels_last else image.transpose(0, 3, 1, 2)

    def fetch() -> np.ndarray:
        result = np.array(request.get_output_tensor().data)
        return result if channels_last else result.transpose(0, 2, 3, 1)

    return Timed(feed, lambda: request.infer(), fetch)


def onnxruntime(path: Path, height: int, width: int, threads: int) -> Timed:
    """The CPU provider of onnxruntime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = ort.InferenceSession(static_onnx(path, height, width).SerializeToString(), options, providers=["CPUExecutionProvider"])
    name, kept = session.get_inputs()[0].name, {}

    def go() -> None:
        kept["result"] = session.run(None, kept["feed"])[0]

    def feed(image: np.ndarray) -> None:
        kept["feed"] = {name: np.ascontiguousarray(image.transpose(0, 3, 1, 2))}

    return Timed(feed, go, lambda: kept["result"].transpose(0, 2, 3, 1))


def pytorch(path: Path, height: int, width: int, threads: int) -> Timed:
    """PyTorch, eager: the ONNX's operators one by one."""
    import torch

    graph = static_onnx(path, height, width).graph
    constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    steps = []
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            constants[node.output[0]] = torch.from_numpy(numpy_helper.to_array(attributes["value"]).copy())
        else:
            steps.append((_torch_step(node.op_type, attributes), list(node.input), node.output[0]))
    kept = {}

    def feed(image: np.ndarray) -> None:
        kept["image"] = torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))

    def go() -> None:
        torch.set_num_threads(threads)
        values = {**constants, graph.input[0].name: kept["image"]}
        with torch.inference_mode():
            for step, inputs, output in steps:
                values[output] = step(*(values[name] for name in inputs))
        kept["result"] = values[graph.output[0].name]

    return Timed(feed, go, lambda: kept["result"].numpy().transpose(0, 2, 3, 1))


def _torch_step(kind: str, attributes: dict) -> Callable:
    import torch
    from torch.nn import functional

    plain = {"Mul": torch.mul, "Add": torch.add, "Sub": torch.sub, "Div": torch.div, "Pow": torch.pow, "Sqrt": torch.sqrt, "Erf": torch.erf}
    if kind in plain:
        return plain[kind]
    if kind == "Conv":
        pads, dilation, groups = attributes.get("pads", [0] * 4), attributes.get("dilations", [1, 1]), attributes.get("group", 1)
        return lambda x, kernel, bias=None: functional.conv2d(x, kernel, bias, 1, tuple(pads[:2]), dilation, groups)
    if kind == "LayerNormalization":
        return lambda x, gamma, beta: functional.layer_norm(x, gamma.shape, gamma, beta, attributes.get("epsilon", 1e-5))
    if kind == "DepthToSpace" and attributes.get("mode") == b"CRD":
        return lambda x: functional.pixel_shuffle(x, attributes["blocksize"])
    if kind == "ReduceMean":
        return lambda x: x.mean(tuple(attributes["axes"]), keepdim=True)
    if kind == "Transpose":
        return lambda x: x.permute(*attributes["perm"])
    if kind == "Concat":
        return lambda *parts: torch.cat(parts, attributes["axis"])
    raise NotImplementedError(f"{kind} is not among the operators of the ONNX files that this script is for")


def static_onnx(path: Path, height: int, width: int) -> onnx.ModelProto:
    """An ONNX of an image network with its input fixed to (1, 3, height, width)."""
    model = onnx.load(str(path))
    for dimension, value in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width)):
        dimension.Clear()
        dimension.dim_value = value
    del model.graph.value_info[:]
    for dimension in list(model.graph.output[0].type.tensor_type.shape.dim)[2:]:
        dimension.Clear()
    return onnx.shape_inference.infer_shapes(model)
