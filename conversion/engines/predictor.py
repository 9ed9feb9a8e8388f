"""Any model as one function from an image to its larger image: Keras, .tflite or ONNX, the whole image at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_models.system.errors import ModelError, one_line
from keras_models.system.sandbox import isolated


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to run.

    Attributes:
        name: what to call it.
        scale: upscaling factor.
        run: (h, w, 3) float32 RGB in [0, 1] to (s*h, s*w, 3) float32, not necessarily clipped.
    """

    name: str
    scale: int
    run: Callable[[np.ndarray], np.ndarray]


def open_predictor(model: str | Path, threads: int | None = None) -> Predictor:
    """Opens a preset (its shipped weights), .keras, checkpoint, .tflite or .onnx.

    Raises:
        MobileSRError: it cannot be read or is not super-resolution.
    """
    suffix = Path(model).suffix.lower()
    if suffix == ".tflite":
        return _open_tflite(Path(model), threads)
    if suffix == ".onnx":
        return open_onnx(Path(model), threads)
    return _open_keras(model)


def _open_keras(model: str | Path) -> Predictor:
    from keras_models.system.quiet import import_keras

    import_keras()
    import keras

    from keras_models.checkpoints.loading import load_model

    network = load_model(model)
    return Predictor(str(model), network.scale, lambda image: keras.ops.convert_to_numpy(network(image[None], training=False))[0])


def _open_tflite(path: Path, threads: int | None) -> Predictor:
    from conversion.engines.whole_image import open_engine
    from conversion.upscaling.pipeline import upscale_array

    engine = open_engine(path, threads)
    if engine.resizable and engine.passes == 1:
        return Predictor(str(path), engine.scale, engine.run)
    return Predictor(str(path), engine.scale, lambda image: upscale_array(image, engine))


def open_onnx(path: Path, threads: int | None, proven: bool = False) -> Predictor:
    """Opens an .onnx of free size; unless it is `proven`, in a process of its own first, which it may crash.

    Raises:
        ModelError: it cannot be read or run, or is not super-resolution.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file: check the path")
    if not proven:
        isolated(
            "conversion.onnx.worker:run_small",
            [str(path)],
            lambda said: ModelError(f"{path}: onnxruntime cannot run it ({said}): it is damaged: export it again"),
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen types of its own
        raise ModelError(f"{path}: onnxruntime cannot open it ({one_line(error)}): export it again") from None
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else None
    if shape is None or len(shape) != 4 or shape[1] != 3:
        raise ModelError(f"{path}: {len(inputs)} inputs, the first {shape}: need one image [1, 3, h, w]")
    if any(isinstance(side, int) for side in shape[2:]):
        raise ModelError(f"{path}: its input is fixed to {shape[2]}x{shape[3]}: export it with dynamic height and width, or convert it")

    def run(image: np.ndarray) -> np.ndarray:
        try:
            made = session.run(None, {inputs[0].name: np.ascontiguousarray(image.transpose(2, 0, 1)[None])})[0]
            return made[0].transpose(1, 2, 0)
        except Exception as error:  # onnxruntime's own, or NumPy's on a result that is no image
            raise ModelError(f"{path}: onnxruntime fails on a {image.shape[0]}x{image.shape[1]} image ({one_line(error)})") from None

    probe = run(np.zeros((8, 8, 3), np.float32)).shape
    if len(probe) != 3 or probe[2] != 3 or probe[0] % 8 or probe[0] != probe[1]:
        raise ModelError(f"{path}: makes {probe} of an 8x8 image: not super-resolution of RGB")
    return Predictor(str(path), probe[0] // 8, run)
