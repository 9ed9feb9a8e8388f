"""Our own networks as ONNX: the deploy graph, node by node, with free batch, height and width, in the standard's opset 20."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.graph.exact_rewrites import add_before_shuffle, clip_output, nearest_to_shuffle
from conversion.graph.from_keras import graph_of
from conversion.graph.half_range import within_half_range
from conversion.graph.ir import Graph
from conversion.graph.ops import OPS, missing_cell
from conversion.onnx.load import OPSET
from conversion.onnx.rescaling import open_session
from conversion.source import ModelLike, ModelSource
from keras_models.base import SuperResolution
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError

TOLERANCE = 2e-5
CALIBRATION_SIDE = 64


def export_onnx(model: ModelLike, target: str | Path, calibration: str | Path | None = None) -> float:
    """Writes a network as ONNX: "image" [n, 3, h, w] float32 in [0, 1] to "upscaled" [n, 3, s*h, s*w], clipped to [0, 1].

    It is the deploy form with the powers of two that keep its intermediates inside half precision; its metadata entry
    `mobile_sr` (JSON) says what it is.

    Args:
        model: preset name, .keras file, checkpoint or network in memory; a training form is folded first.
        target: an .onnx.
        calibration: folder of photos that ranges are measured on, besides the built-in images.

    Returns:
        Largest difference to Keras on images of another size, through onnxruntime.

    Raises:
        ConversionError: an operation without a counterpart, or a file that computes something else.

    Example:
        >>> import conversion, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     conversion.export_onnx("lkdn-s-x4", f"{folder}/small.onnx") < 2e-5
        True
    """
    source = ModelSource.of(model)
    deploy = source.deploy()
    proto = onnx_model(exported_graph(deploy, calibration))
    helper.set_model_props(proto, {"mobile_sr": json.dumps(onnx_facts(source, deploy), sort_keys=True)})
    error = _difference(deploy, proto)
    if not error <= TOLERANCE:
        raise ConversionError(f"{target}: the exported file differs from {source.label} by {error:.2g}: onnxruntime computes it otherwise")
    with atomic_output(target) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
    return error


def exported_graph(deploy: SuperResolution, calibration: str | Path | None = None) -> Graph:
    """The graph that is written of a network's deploy form, safe in half precision; arguments are those of `export_onnx`."""
    side = (CALIBRATION_SIDE, CALIBRATION_SIDE)
    images = synthetic_images(*side) + (photo_crops(calibration, *side) if calibration is not None else [])
    graph = graph_of(deploy)
    nearest_to_shuffle(graph)
    add_before_shuffle(graph)
    clip_output(graph)
    return within_half_range(graph, images)


def onnx_model(graph: Graph) -> onnx.ModelProto:
    """A graph of NHWC operations as a checked ONNX model, channels first.

    Raises:
        ConversionError: an operation that has no counterpart here.
    """
    writer = Writer()
    names: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.op == "input":
            names[node.name] = "image"
            channels = node.shape[-1]
            continue
        form = OPS[node.op].onnx
        if form is None:
            raise missing_cell(node, "onnx", "convert to .tflite")
        names[node.name] = form(writer, node, [names[i] for i in node.inputs])
    writer.nodes[-1].output[0] = "upscaled"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, "h", "w"])
    result = helper.make_tensor_value_info("upscaled", TensorProto.FLOAT, ["n", graph.output.shape[-1], "h_up", "w_up"])
    body = helper.make_graph(writer.nodes, "super_resolution", [image], [result], writer.constants)
    # Version 10 came with opset 20's generation; newer ones shut older runtimes out.
    proto = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10, producer_name="mobile-sr")
    onnx.checker.check_model(proto, full_check=True)
    return proto


class Writer:
    """ONNX nodes and constants as they come, each tensor under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        """Adds a node; the name of its output."""
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: np.ndarray | np.generic) -> str:
        """Adds a constant; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name


def _difference(deploy: keras.Model, proto: onnx.ModelProto) -> float:
    session = open_session(proto.SerializeToString())
    largest = 0.0
    for image in synthetic_images(24, 40, seed=1)[1:6]:
        made = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)
        expected = keras.ops.convert_to_numpy(deploy(image)).clip(0, 1)
        largest = max(largest, float(np.abs(made - expected).max()))
    return largest


def onnx_facts(source: ModelSource, deploy: SuperResolution) -> dict:
    """What the metadata entry `mobile_sr` says of an exported network."""
    return {
        "name": deploy.name,
        "family": type(deploy).__name__,
        "scale": deploy.scale,
        "halo": deploy.halo,
        "receptive_radius": deploy.receptive_radius,
        "range": [0.0, 1.0],
        "source": source.file_name,
        "source_sha256": source.sha256,
        "parameters": deploy.count_params(),
        "licence": source.facts.get("licence", "unknown"),
        "credit": source.facts.get("credit", "unknown"),
    }
