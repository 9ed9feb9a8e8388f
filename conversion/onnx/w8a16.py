"""The recipe w8a16: 8-bit weights and 16-bit arithmetic as an ONNX of QuantizeLinear pairs, which Snapdragons' NPUs take whole.

LiteRT's 16-bit files are signed, and those NPUs have no signed 16-bit depthwise convolution; unsigned ones they have.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from math import log10
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import helper

from conversion.calibration_images import photo_like_images, synthetic_images
from conversion.onnx.export import exported_graph, onnx_facts, onnx_model
from conversion.onnx.rescaling import open_session
from conversion.quantization.gptq import rounded
from conversion.quantization.int8 import CALIBRATION_TILE, TRACED
from conversion.quantization.photo_crops import low_resolution_crops
from conversion.source import ModelLike, ModelSource
from keras_models.base import SuperResolution
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError, one_line

RECIPE = "w8a16"
HELP = "Of an .onnx: 8-bit weights, unsigned 16-bit arithmetic, nearly float's quality on Snapdragons' NPUs."
RANGED_TILE = (64, 64)
"""Low-resolution pixels of the images that ranges are measured on: the smallest and the largest value count. 16 bits have steps to spare,
so that noise, which no photo reaches, may be among them (no loss on Set5, and 4 dB more on dead leaves)."""
RANGED_LEAVES = 8
LEAST_PSNR = 35.0
"""To the network in dB, on photograph-like images; files of this project have 39 (SPAN) to 59."""


def export_w8a16(model: ModelLike, target: str | Path, calibration: str | Path, tile: tuple[int, int]) -> float:
    """Writes a network as a quantized ONNX of a fixed size, float32 in and out, channels first.

    Args:
        model: preset name, .keras file, checkpoint or network in memory; a training form is folded first.
        target: an .onnx.
        calibration: folder of photos that the weights are fitted to.
        tile: (H, W) of its image, low-resolution pixels.

    Returns:
        PSNR to the network in dB, through onnxruntime on the CPU, on photograph-like images.

    Raises:
        ConversionError: an operation without a counterpart, or a file that is too far from the network.
        ImageError: no photo in the folder that is large enough.
    """
    source = ModelSource.of(model)
    deploy = source.deploy()
    crops = low_resolution_crops(calibration, CALIBRATION_TILE, deploy.scale, TRACED)
    graph = rounded(exported_graph(deploy), {}, crops)  # as near to the network as 8 bits can be: 0.16 dB on Set5 for LKDN-S
    proto = _quantized(_at_size(onnx_model(graph), RANGED_TILE, deploy.scale), source.label)
    proto = _at_size(proto, tile, deploy.scale)
    facts = {**onnx_facts(source, deploy), "recipe": RECIPE, "tile": list(tile)}
    helper.set_model_props(proto, {"mobile_sr": json.dumps(facts, sort_keys=True)})
    psnr = _psnr(deploy, proto, tile)
    if not psnr >= LEAST_PSNR:
        wanted = f"{LEAST_PSNR:g} are wanted"
        raise ConversionError(f"{target}: only {psnr:.1f} dB to {source.label}, {wanted}: `recipe` float16 is nearer")
    with atomic_output(target) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
    return psnr


def _at_size(proto: onnx.ModelProto, tile: tuple[int, int], scale: int) -> onnx.ModelProto:
    """The same graph for one image of a size; nothing in it depends on sizes but the shapes that are written beside tensors."""
    sized = onnx.ModelProto()
    sized.CopyFrom(proto)
    del sized.graph.value_info[:]
    for value, factor in ((sized.graph.input[0], 1), (sized.graph.output[0], scale)):
        for dim, side in zip(value.type.tensor_type.shape.dim, (1, 3, tile[0] * factor, tile[1] * factor)):
            dim.Clear()
            dim.dim_value = side
    return onnx.shape_inference.infer_shapes(sized)


def _quantized(proto: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Quantized by onnxruntime's rules for these NPUs; a norm's scale must be unsigned 8-bit for them."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(synthetic_images(*RANGED_TILE) + photo_like_images(*RANGED_TILE, RANGED_LEAVES, seed=1))

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))}

    scales = [node.input[1] for node in proto.graph.node if node.op_type == "LayerNormalization"]
    with tempfile.TemporaryDirectory(prefix="mobile-sr-") as folder:
        plain, made = Path(folder, "float.onnx"), Path(folder, "quantized.onnx")
        onnx.save(proto, plain)
        level, root = logging.root.level, logging.root
        root.setLevel(logging.ERROR)  # it recommends a pass that these graphs do not need
        try:
            config = get_qnn_qdq_config(
                plain,
                Images(),
                activation_type=QuantType.QUInt16,
                weight_type=QuantType.QInt8,
                per_channel=True,
                init_overrides={scale: [{"quant_type": QuantType.QUInt8, "symmetric": False}] for scale in scales},
            )
            quantize(plain, made, config)
        except Exception as error:  # onnxruntime's own, of many kinds
            raise ConversionError(f"{name}: onnxruntime cannot quantize it ({one_line(error)}): give `recipe` int8") from error
        finally:
            root.setLevel(level)
        return onnx.load(made)


def _psnr(deploy: SuperResolution, proto: onnx.ModelProto, tile: tuple[int, int]) -> float:
    session = open_session(proto.SerializeToString())
    errors = []
    for image in photo_like_images(*tile):
        made = session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)
        expected = keras.ops.convert_to_numpy(deploy(image)).clip(0, 1)
        errors.append(np.square(made.clip(0, 1) - expected, dtype=np.float64).mean())
    return -10 * log10(max(float(np.mean(errors)), 1e-20))
