"""OpenVINO's own int8 of an ONNX by NNCF's post-training quantization, and its PSNR: the peer of our int8 file in scripts/measure_int8.py.

    python scripts/nncf_int8.py NETWORK.onnx CALIBRATION_PHOTOS -o INT8.xml [--data Set5] [--preset mixed]

Calibrated on the same 64 crops that `convert --recipe int8` is fitted to. Needs scripts/requirements-peers.txt and nncf. With --data the
float network, OpenVINO's int8 file and its losses are measured as `mobile-sr evaluate` does.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from script import run

from conversion.measuring.evaluate import RULES, mean_quality
from conversion.quantization.int8 import CALIBRATION_TILE, CROPS
from conversion.quantization.photo_crops import low_resolution_crops
from keras_models.data.photo_files import list_pairs, read_pair
from keras_models.metrics import measure, to_uint8


def main(
    network: Path,
    photos: Path,
    output: Annotated[Path, typer.Option("-o", "--output")],
    data: Annotated[list[Path] | None, typer.Option()] = None,
    preset: str = "mixed",
    scale: int = 4,
) -> None:
    """Writes the .xml and its .bin, and prints one line a folder."""
    import nncf
    import openvino as ov

    crops = low_resolution_crops(photos, CALIBRATION_TILE, scale, CROPS)
    images = nncf.Dataset([np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) for crop in crops])
    float_model = ov.Core().read_model(str(network))
    quantized = nncf.quantize(float_model, images, preset=nncf.QuantizationPreset(preset), subset_size=len(crops))
    ov.save_model(quantized, str(output), compress_to_fp16=False)
    for folder in data or []:
        before, after = (_psnr(ov, model, folder, scale) for model in (ov.Core().read_model(str(network)), quantized))
        sys.stdout.write(f"{folder.name}: {before:.3f} dB in float32, {after:.3f} dB in OpenVINO's int8, {before - after:.3f} lost\n")


def _psnr(ov: Any, model: Any, folder: Path, scale: int) -> float:
    model.reshape([1, 3, -1, -1])
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    scores = []
    for pair in list_pairs(folder, scale)[0]:
        low, high = read_pair(pair, scale, RULES["new"])
        result = compiled(low.astype(np.float32).transpose(2, 0, 1)[None] / 255)[0][0].transpose(1, 2, 0)
        scores.append(measure(to_uint8(result), high, scale))
    return mean_quality(scores).psnr_y


if __name__ == "__main__":
    run(main, __doc__)
