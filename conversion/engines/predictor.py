"""Any model as one function from an image to its larger image: Keras, .tflite or ONNX, the whole image at once."""

from pathlib import Path

import numpy as np

from conversion.source import ModelSource, Predictor
from keras_models.system.errors import ModelError, one_line
from keras_models.system.sandbox import isolated


def predictor_of(source: ModelSource, threads: int | None = None) -> Predictor:
    """Opens a model of any kind: a .tflite in tiles where it cannot run whole images, ONNX in onnxruntime, the rest in Keras.

    Raises:
        MobileSRError: it cannot be read or is not super-resolution.
    """
    if source.kind == "tflite":
        return _open_tflite(Path(source.label), threads)
    if source.kind == "onnx":
        return open_onnx(Path(source.label), threads)
    return _open_keras(source)


def _open_keras(source: ModelSource) -> Predictor:
    from keras_models.system.quiet import import_keras

    import_keras()
    import keras

    network = source.network()
    return Predictor(source.label, network.scale, lambda image: keras.ops.convert_to_numpy(network(image[None], training=False))[0])


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
