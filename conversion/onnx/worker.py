"""The part of the ONNX route that reads a foreign file, in a process of its own: a hostile model may crash or exhaust only that.

`prepare` leaves rewritten.onnx and images.npz (what the untouched file makes of some images) in a folder. It is called by
`keras_models.system.sandbox`, and imports neither Keras nor TensorFlow.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.engines.colours import Colours, measure_colours
from conversion.engines.values import LUMA, NOTHING_SAID, Said
from conversion.onnx.canonical import Form, Untouched, canonical, form_of
from conversion.onnx.graph import OnnxGraph
from conversion.onnx.load import fixed_graph, read_onnx
from conversion.onnx.receptive import receptive_radius
from conversion.onnx.rescaling import open_session, rescale_onnx
from conversion.onnx.rewrites import rewrite
from keras_models.system.errors import ConversionError

TOLERANCE = 1e-4
"""Largest difference to the untouched file, as a part of the range that its outputs span (at least 1)."""

TRIED = {
    *("Abs", "Add", "AveragePool", "Clip", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Exp", "Gelu", "Gemm"),
    *("GlobalAveragePool", "HardSwish", "InstanceNormalization", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu"),
    *("Pad", "Pow", "ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Softplus"),
    *("SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
}
"""Operations that onnx2tf converted in our trials; a conversion that fails names the others first."""

LEFTOVERS = {
    "ScatterND": "it writes into a tensor, as the bias ring of a re-parameterizable block does that is not one value per channel: "
    "re-parameterize (fold) the network before exporting it",
    "LayerNormalization": "it normalises over other axes than the channels of each pixel: phones' GPUs have no such operation",
    "Erf": "it is no part of an exact GELU: phones' GPUs have no such operation",
    **dict.fromkeys(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"),
        "it draws random numbers, which no .tflite repeats: export the network in inference mode",
    ),
    **dict.fromkeys(
        ("Shape", "Range", "NonZero", "ConstantOfShape", "Expand", "Where", "OneHot"),
        "its sizes are computed while it runs although the input's is fixed: export it at a fixed size",
    ),
}
"""Operations that no rewrite took away and that would leave the GPU -> why, and what to do."""

_BROKEN = "{}: it gives NaN or infinity: its weights are broken: export or download it again"


@dataclass(frozen=True)
class OnnxReport:
    """What was read and done.

    Attributes:
        tile: (H, W), low-resolution pixels.
        scale: upscaling factor.
        rewrites: name -> number of places.
        operations: of the rewritten graph, name -> how often.
        rescaled: tensors given a power of two.
        error: largest difference of the rewritten graph to the untouched file, outputs clipped to [0, 1].
        parameters: elements of all weights.
        multi_adds: of the convolutions, for one tile.
        receptive_radius: low-resolution pixels, None if the graph does not tell.
        metadata: of the file, text to text.
        channels: of the image: 3, or 1 for brightness.
        free: the file takes images of any size.
        values: of the file, for people; the graph's own are in [0, 1] whatever they are.
        note: what a user should know of them, "" if nothing.
        untried: operations of the rewritten graph that are none of those that were tried with onnx2tf.
        tolerance: largest difference that its own arithmetic allows, of the output's range.
    """

    tile: tuple[int, int]
    scale: int
    rewrites: dict[str, int]
    operations: dict[str, int]
    rescaled: int
    error: float
    parameters: int
    multi_adds: int
    receptive_radius: int | None
    metadata: dict[str, str]
    channels: int
    free: bool
    values: str
    note: str
    untried: tuple[str, ...]
    tolerance: float


def read_for_conversion(
    folder: str, path: str, tile: list[int] | None, default: list[int], calibration: str | None, said: list[str | None]
) -> dict:
    """`prepare` as JSON goes in and out."""
    asked = None if tile is None else (tile[0], tile[1])
    return asdict(prepare(Path(folder), path, asked, (default[0], default[1]), calibration, Said(*said)))


def prepare(
    folder: Path,
    path: str,
    tile: tuple[int, int] | None,
    default: tuple[int, int],
    calibration: str | None,
    said: Said = NOTHING_SAID,
) -> OnnxReport:
    """Reads, rewrites, rescales and compares.

    Args:
        folder: where rewritten.onnx and images.npz go.
        path: of the .onnx.
        tile: (H, W) asked for, None for the file's own.
        default: (H, W) where nothing else says.
        calibration: folder of photos to measure ranges on, besides the built-in images.
        said: of its values.

    Raises:
        MobileSRError: a file that cannot be read or converted.
    """
    foreign = _read(path, tile, default, said)
    graph, channels = foreign.graph, foreign.form.channels
    images = _images(foreign.size, channels, calibration)
    some = images[1:12:3]  # leaves, noise, a checkerboard, grey
    expected = [foreign.run(image[0])[None] for image in some]
    scale = _scale(path, foreign.size, expected[0].shape, channels)
    try:
        counts = rewrite(graph)
        _refuse_leftovers(graph)
        rescaled = rescale_onnx(graph, images)
    except ConversionError as problem:
        raise ConversionError(f"{path}: {problem}") from None
    _rename(graph)
    onnx.save(graph.to_model(), folder / "rewritten.onnx")
    error = _difference(folder / "rewritten.onnx", some, expected)
    _refuse_difference(foreign, error, expected, counts)
    np.savez(folder / "images.npz", images=np.concatenate(some), expected=np.concatenate(expected))
    return _report(foreign, scale, counts, rescaled, error)


@dataclass(frozen=True)
class _Foreign:
    """An outside file: its graph at one size, channels first and in 0..1, and the untouched file to compare it with."""

    path: str
    form: Form
    free: bool
    size: tuple[int, int]
    untouched: Untouched
    colours: Colours
    graph: OnnxGraph
    metadata: dict[str, str]

    def run(self, image: np.ndarray) -> np.ndarray:
        """What the untouched file makes of (h, w, channels) in 0..1."""
        return self.colours.values.from_network(self.untouched.infer(self.colours.values.to_network(image)))


def _read(path: str, tile: tuple[int, int] | None, default: tuple[int, int], said: Said) -> _Foreign:
    model = read_onnx(path)
    form = form_of(model, path)
    sizes = model.graph.input[0].type.tensor_type.shape.dim[2 if form.channels_first else 1]
    free = not (sizes.HasField("dim_value") and sizes.dim_value > 0)
    canonical(model, form)
    height, width = fixed_graph(onnx.ModelProto.FromString(model.SerializeToString()), path, tile, default, form.channels).input_shape[2:]
    untouched = Untouched(path, form)
    if not np.isfinite(untouched.infer(_images((height, width), form.channels)[1][0])).all():
        raise ConversionError(_BROKEN.format(path))  # before its values are looked for, which takes a hundred runs
    colours = measure_colours(path, untouched.infer, form.channels, (height, width), said, form.likely)
    model = read_onnx(path)
    canonical(model, form, colours.values)
    graph = fixed_graph(model, path, tile, default, form.channels)
    metadata = {entry.key[:80]: entry.value[:4000] for entry in model.metadata_props[:20]}
    return _Foreign(path, form, free, (height, width), untouched, colours, graph, metadata)


def _images(size: tuple[int, int], channels: int, calibration: str | None = None) -> list[np.ndarray]:
    """(1, h, w, channels) float32 in 0..1: the built-in ones, and crops of a folder's photos."""
    images = synthetic_images(*size)
    if calibration is not None:
        images += photo_crops(calibration, *size)
    return images if channels == 3 else [(image @ LUMA)[..., None] for image in images]


def _refuse_difference(foreign: _Foreign, error: float, expected: list[np.ndarray], counts: dict[str, int]) -> None:
    span = max(float(np.max(expected) - np.min(expected)), 1.0)
    if error <= foreign.form.tolerance * span:
        return
    if not np.isfinite(expected).all():
        raise ConversionError(_BROKEN.format(foreign.path))
    acted = ", ".join(f"{name} {n}" for name, n in counts.items()) or "none acted"
    raise ConversionError(
        f"{foreign.path}: after the rewrites ({acted}) it differs by {error:.2g} from the file, {foreign.form.tolerance:g} is allowed: "
        "use the .onnx itself, which `upscale` runs as it is"
    )


def _report(foreign: _Foreign, scale: int, counts: dict[str, int], rescaled: int, error: float) -> OnnxReport:
    graph, form, values = foreign.graph, foreign.form, foreign.colours.values
    shapes = graph.shapes()
    convs = [node for node in graph.nodes if node.op == "Conv"]
    operations = dict(Counter(node.op for node in graph.nodes).most_common())
    return OnnxReport(
        tile=foreign.size,
        scale=scale,
        rewrites=counts,
        operations=operations,
        rescaled=rescaled,
        error=error,
        parameters=int(sum(value.size for value in graph.constants.values() if value.size > 1)),
        multi_adds=int(sum(np.prod(shapes[n.inputs[1]]) * np.prod(shapes[n.output][2:]) for n in convs)),
        receptive_radius=receptive_radius(graph),
        metadata=foreign.metadata,
        channels=form.channels,
        free=foreign.free,
        values=values.as_text() if form.channels == 3 else f"{values.taken}, brightness alone",
        note=foreign.colours.note,
        untried=tuple(sorted(set(operations) - TRIED)),
        tolerance=form.tolerance,
    )


def _scale(path: str, size: tuple[int, int], shape: tuple[int, ...], channels: int) -> int:
    scale = shape[1] // size[0]
    if scale < 1 or shape != (1, size[0] * scale, size[1] * scale, channels):
        made = "x".join(map(str, shape[1:]))
        raise ConversionError(f"{path}: it makes {made} of {size[0]}x{size[1]}x{channels}: not super-resolution by a whole number")
    return scale


def _refuse_leftovers(graph: OnnxGraph) -> None:
    for node in graph.nodes:
        if node.op in LEFTOVERS:
            raise ConversionError(f"the graph keeps a {node.op} ({node.output}): {LEFTOVERS[node.op]}")


def _rename(graph: OnnxGraph) -> None:
    """Gives input and output the names of the .tflite contract."""
    new = {"image": "image_", "upscaled": "upscaled_", graph.input: "image", graph.output: "upscaled"}
    for node in graph.nodes:
        node.inputs = [new.get(name, name) for name in node.inputs]
        node.outputs = [new.get(name, name) for name in node.outputs]
    graph.constants = {new.get(name, name): value for name, value in graph.constants.items()}
    graph.input, graph.output = "image", "upscaled"


def _difference(path: Path, images: list[np.ndarray], expected: list[np.ndarray]) -> float:
    session = open_session(str(path))
    made = [session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0] for image in images]
    return max(float(np.abs(m.transpose(0, 2, 3, 1) - e.clip(0, 1)).max()) for m, e in zip(made, expected))
