"""Make small real .tflite models, a photo and expected results for the app's tests, into android_demo/target/.

    python tools/make_test_models.py

`target/test-assets/models/` is what the app under test finds in its assets; `target/test-models/` holds files that the app has to refuse,
to distrust or to take from a user; `target/parity/` holds photos and what `mobile-sr upscale` makes of them. Nothing here ships.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

DEMO = Path(__file__).resolve().parent.parent
REPOSITORY = DEMO.parent
SHARED_PHOTOS = REPOSITORY.parent / "shared" / "data" / "Set14" / "LRx4"
TARGET = DEMO / "target"
ASSETS = TARGET / "test-assets" / "models"
OTHERS = TARGET / "test-models"
PARITY = TARGET / "parity"
SHIPPED = DEMO / "library" / "src" / "main" / "assets" / "models" / "models.json"
STAMP = TARGET / "test-models.stamp"

TILE = 64
HALO = 8


def main() -> None:
    """Make everything, unless nothing that it is made from has changed."""
    stamp = _stamp()
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    STAMP.unlink(missing_ok=True)
    for folder in (ASSETS.parent, OTHERS, PARITY):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (ASSETS, OTHERS, PARITY):
        folder.mkdir(parents=True)
    photos = parity_photos()
    for name, pixels in photos.items():
        Image.fromarray(pixels).save(PARITY / f"{name}_in.png")
    golden = photos["synthetic"][:TILE, :TILE]
    models = [_compiled(_asset("detail-x4", detail_x4(), golden, "float32")), _asset("detail-x4-int8", detail_x4(int8=True), golden, "int8")]
    (ASSETS / "models.json").write_text(json.dumps({"schema": 1, "models": models}, indent=1))
    shutil.copytree(SHIPPED.parent, ASSETS.parent / "shipped", dirs_exist_ok=True)
    for name, data in other_models().items():
        (OTHERS / f"{name}.tflite").write_bytes(data)
    write_parity(ASSETS / "detail-x4.tflite", photos)
    for card in json.loads(SHIPPED.read_text())["models"]:
        # Smaller ones are padded here and run at their own size by Python, whose engine can: their borders differ.
        large = {name: pixels for name, pixels in photos.items() if min(pixels.shape[:2]) >= max(card["tile"])}
        write_parity(SHIPPED.parent / card["file"], large)
    STAMP.write_text(stamp)


def synthetic_photo(width: int, height: int) -> np.ndarray:
    """Return a picture with smooth colour, edges, a pattern and texture, taken as by a camera: (height, width, 3) uint8."""
    fine = 4
    y, x = np.mgrid[0 : height * fine, 0 : width * fine].astype(np.float32) / fine
    sky = np.stack([60 + 90 * y / height, 120 + 60 * y / height, 200 - 60 * y / height], -1)
    hill = y > height * (0.62 + 0.1 * np.sin(x / 17) + 0.05 * np.sin(x / 5))
    grass = np.random.default_rng(3).normal(0, 20, (*x.shape, 1)) + np.array([70, 120, 55])
    picture = np.where(hill[..., None], grass, sky)
    picture[(x - width * 0.72) ** 2 + (y - height * 0.28) ** 2 < (height * 0.13) ** 2] = (250, 226, 150)
    house = (abs(x - width * 0.3) < width * 0.12) & (abs(y - height * 0.62) < height * 0.14)
    picture[house] = (176, 92, 72)
    picture[house & ((x + 2 * y) % 9 < 3)] = (235, 230, 214)
    seen = picture.reshape(height, fine, width, fine, 3).mean((1, 3))
    return seen.clip(0, 255).round().astype(np.uint8)


def detail_x4(int8: bool = False) -> bytes:
    """Return a network that sharpens, enlarges bilinearly, and adds a little of what two random convolutions say."""
    import tensorflow as tf

    random = np.random.default_rng(1)
    first = tf.constant(random.normal(0, 0.2, (3, 3, 3, 16)), tf.float32)
    last = tf.constant(random.normal(0, 0.005, (3, 3, 16, 48)), tf.float32)
    sharpen = np.zeros((3, 3, 3, 3), np.float32)
    sharpen[:, :, range(3), range(3)] = -0.12
    sharpen[1, 1, range(3), range(3)] = 1 + 8 * 0.12

    def network(image: "tf.Tensor") -> "tf.Tensor":
        features = tf.nn.relu(tf.nn.conv2d(image, first, 1, "SAME"))
        detail = tf.nn.depth_to_space(tf.nn.conv2d(features, last, 1, "SAME"), 4)
        smooth = tf.image.resize(tf.nn.conv2d(image, tf.constant(sharpen), 1, "SAME"), (4 * TILE, 4 * TILE), "bilinear")
        return tf.clip_by_value(smooth + detail, 0.0, 1.0)

    return _convert(network, (1, TILE, TILE, 3), int8=int8)


def other_models() -> dict[str, bytes]:
    """Return files by name: good ones from elsewhere, wrong ones, and ones that are no super-resolution."""
    import tensorflow as tf

    def nearest(image: "tf.Tensor") -> "tf.Tensor":
        return tf.image.resize(image, (64, 64), "nearest")

    shape = (1, 32, 32, 3)
    good = _convert(nearest, shape)
    return {
        "nearest-x2": good,
        "nan-x2": _convert(lambda x: nearest(tf.math.log(x - 2.0)), shape),
        "black-x2": _convert(lambda x: nearest(x * 0.0), shape),
        "cut-in-half": good[: len(good) // 2],
        "grey": _convert(lambda x: tf.image.resize(x, (64, 64), "nearest"), (1, 32, 32, 1)),
        "dynamic": _convert(lambda x: tf.nn.depth_to_space(tf.tile(x, (1, 1, 1, 4)), 2), (1, None, None, 3)),
        "classifier": _convert(lambda x: tf.reduce_mean(x, (1, 2)), shape),
    }


def write_parity(model: Path, photos: dict[str, np.ndarray]) -> None:
    """Write what `mobile-sr upscale` makes of the photos into a folder named as the model."""
    sys.path.insert(0, str(REPOSITORY))
    from conversion.engines.cpu import CpuEngine
    from conversion.upscaling.pipeline import upscale_file

    engine = CpuEngine(model)
    folder = PARITY / model.stem
    folder.mkdir()
    for name in photos:
        upscale_file(PARITY / f"{name}_in.png", folder / f"{name}_out.png", engine)


def parity_photos() -> dict[str, np.ndarray]:
    """Return photos by name: made ones of any size, and two of Set14 where the shared data is."""
    photo = synthetic_photo(150, 110)
    photos = {"synthetic": photo, "small": photo[:50, :70], "pixel": photo[:1, :1], "thin": photo[:3, :131], "broad": synthetic_photo(330, 290)}
    if SHARED_PHOTOS.is_dir():
        for name in ("baboon", "comic"):
            photos[f"set14-{name}"] = np.asarray(Image.open(SHARED_PHOTOS / f"{name}.png").convert("RGB"))
    return photos


def runner(model: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from one float32 window to its enlargement; integer models are fed by their own quantization."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    fed, read = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(window: np.ndarray) -> np.ndarray:
        if fed["dtype"] == np.int8:
            scale, zero = fed["quantization"]
            window = (np.rint(window / np.float32(scale)) + zero).clip(-128, 127).astype(np.int8)
        interpreter.set_tensor(fed["index"], window[None])
        interpreter.invoke()
        answer = interpreter.get_tensor(read["index"])[0]
        if read["dtype"] == np.int8:
            scale, zero = read["quantization"]
            answer = (answer.astype(np.float32) - zero) * np.float32(scale)
        return answer

    return run


def _asset(name: str, model: bytes, golden: np.ndarray, recipe: str) -> dict:
    (ASSETS / f"{name}.tflite").write_bytes(model)
    expected = np.rint(runner(model)(golden.astype(np.float32) / 255).clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(golden).save(ASSETS / f"{name}_golden_in.png")
    Image.fromarray(expected).save(ASSETS / f"{name}_golden_out.png")
    return {
        "name": name,
        "file": f"{name}.tflite",
        "sha256": hashlib.sha256(model).hexdigest(),
        "family": "test",
        "scale": 4,
        "tile": [TILE, TILE],
        "halo": HALO,
        "range": [0, 1],
        "recipe": recipe,
        "licence": "MIT",
        "credit": "made for tests",
        "golden": {"input": f"{name}_golden_in.png", "output": f"{name}_golden_out.png"},
    }


def _compiled(entry: dict) -> dict:
    """Add a file for an NPU, in form alone: the plain file's tensors and another content."""
    data = (ASSETS / entry["file"]).read_bytes() + b"for an NPU"
    name = f"{entry['name']}_SM8650.tflite"
    (ASSETS / name).write_bytes(data)
    return {**entry, "npu": [{"soc": "SM8650", "file": name, "sha256": hashlib.sha256(data).hexdigest()}]}


def _stamp() -> str:
    sources = [Path(__file__), SHIPPED, *sorted((REPOSITORY / "conversion").rglob("*.py"))]
    digest = hashlib.sha256(f"{sys.version} {SHARED_PHOTOS.is_dir()}".encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _convert(network: Callable, shape: tuple, int8: bool = False) -> bytes:
    import tensorflow as tf

    module = tf.Module()
    module.run = tf.function(lambda image: {"upscaled": network(image)}, input_signature=[tf.TensorSpec(shape, tf.float32, "image")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.run.get_concrete_function()], module)
    if int8:
        photo = synthetic_photo(TILE, TILE).astype(np.float32)[None] / 255
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([photo * gain] for gain in (1.0, 0.5, 0.0))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


if __name__ == "__main__":
    main()
