"""Reading an .onnx that may come from anywhere: whole, checked, without files from elsewhere, its one image of a fixed size."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from conversion.onnx.graph import OnnxGraph
from keras_models.system.errors import ConversionError, ModelError, one_line

MAX_BYTES = 1 << 29
"""Weights and graph together; the largest published super-resolution networks for phones have a hundredth of it."""
OPSET = 20
"""The first version with Gelu."""


def read_onnx(path: str | Path) -> onnx.ModelProto:
    """Reads and checks a model; weights in files of the same folder are read too.

    Raises:
        ModelError: no such file, damaged, too large, not ONNX, or its weights lie outside of its folder.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path}: {size:,} bytes: {MAX_BYTES:,} is the most that is read")
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file: check the path") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}): give an .onnx file") from None
    except DecodeError:
        raise ModelError(f"{path}: not an ONNX file, or damaged: export or download it again") from None
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file, or an empty graph: export or download it again")
    _read_external(model, path)
    try:
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except Exception as error:  # the checker and the inliner raise their own
        raise ModelError(f"{path}: not valid ONNX ({one_line(error)}): export it again") from None
    return model


def _read_external(model: onnx.ModelProto, path: Path) -> None:
    """Reads weights that stand in files of their own, as long as these lie in the model's folder."""
    folder, budget = path.resolve().parent, MAX_BYTES
    for tensor in _tensors(model.graph):
        if not uses_external_data(tensor):
            continue
        try:
            info = ExternalDataInfo(tensor)
            place = (folder / info.location).resolve()
            if not info.location or not place.is_relative_to(folder):
                raise ModelError(f"{path}: its weights are said to lie in {info.location!r}, outside of its folder: refused")
            if place.exists() and not place.is_file():
                raise ModelError(f"{path}: its weights are said to lie in {info.location!r}, which is no file: refused")
            with open(place, "rb") as stream:
                stream.seek(info.offset or 0)
                tensor.raw_data = stream.read(budget if info.length is None else min(info.length, budget))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: its weights cannot be read ({one_line(error)}): put the file beside the model") from None
        budget -= len(tensor.raw_data)
        if budget <= 0:
            raise ModelError(f"{path}: its weights have over {MAX_BYTES:,} bytes, which is the most that is read")
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def fixed_graph(
    model: onnx.ModelProto, path: str | Path, tile: tuple[int, int] | None, default: tuple[int, int], channels: int = 3
) -> OnnxGraph:
    """The graph at a static size, in opset 20 or the model's own newer one.

    Args:
        model: of `read_onnx`, in the form of `conversion.onnx.canonical`.
        path: what errors call it.
        tile: (H, W) asked for, None for the model's own.
        default: (H, W) where the model's is free and none is asked for.
        channels: of its image.

    Raises:
        ConversionError: of another fixed size, or older than can be upgraded.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    (image,), (result,) = [i for i in model.graph.input if i.name not in constants], model.graph.output
    dims = image.type.tensor_type.shape.dim
    sides = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in list(dims)[2:]]
    size = tuple(own or asked for own, asked in zip(sides, tile or default))
    if tile is not None and size != tuple(tile):
        said = "x".join(str(side or "any") for side in sides)
        raise ConversionError(
            f"{path}: its image is fixed to {said} pixels: give `tile` {size[0]}x{size[1]}, or export it with a free size"
        )
    for dim, side in zip(dims, (1, channels, *size)):
        dim.Clear()
        dim.dim_value = side
    del model.graph.value_info[:]
    result.type.tensor_type.ClearField("shape")  # stale where the size was free
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:  # the converter raises its own
            said = one_line(error)
            raise ConversionError(f"{path}: opset {opset} cannot be upgraded ({said}): export it with opset 13 or newer") from None
    try:
        return OnnxGraph(model)
    except ConversionError as error:
        raise ConversionError(f"{path}: {error}") from None
