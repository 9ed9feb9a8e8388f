"""Small architectures of all kinds through `inspect`, `verify --gpu`, `--bisect` and `--half-safe`: the table of docs/proof.md.

python scripts/gpu_architectures.py [NAME ...]        random weights, made here; each cell is what the tools said on this run.
Needs the software Vulkan devices of scripts/gpu_packages.sh.
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
from keras import layers, ops  # noqa: E402

SIDE = 32
Makes = Callable[[], keras.Model]
MADE: dict[str, Makes] = {}


def network(function: Makes) -> Makes:
    """Adds a network to the table."""
    MADE[function.__name__.replace("_", " ")] = function
    return function


def image(side: int = SIDE, channels: int = 3) -> keras.KerasTensor:
    """An input of one image."""
    return keras.Input((side, side, channels), batch_size=1)


@network
def MobileNetV3_small() -> keras.Model:  # noqa: N802
    """Keras' own, without its classes."""
    return keras.applications.MobileNetV3Small(
        input_tensor=image(64), alpha=0.35, weights=None, classes=10, include_preprocessing=False, minimalistic=False
    )


@network
def U_Net() -> keras.Model:  # noqa: N802
    """Two levels, transposed convolutions, skips."""
    x = given = image()
    skips = []
    for width in (8, 16):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for width, skip in zip((16, 8), reversed(skips)):
        x = layers.Concatenate()([layers.Conv2DTranspose(width, 2, strides=2)(x), skip])
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    return keras.Model(given, layers.Conv2D(2, 1, activation="sigmoid")(x))


@network
def LayerNorm_transformer_block() -> keras.Model:  # noqa: N802
    """Sixteen tokens, LayerNorm before attention and before the perceptron."""
    given = keras.Input((16, 32), batch_size=1)
    x = given + layers.MultiHeadAttention(4, 8)(*[layers.LayerNormalization()(given)] * 2)
    x = x + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x)))
    return keras.Model(given, x)


@network
def softmax_attention() -> keras.Model:
    """One head, written out: two matrix products and a softmax."""
    given = keras.Input((16, 32), batch_size=1)
    query, key, value = (layers.Dense(16)(given) for _ in range(3))
    weights = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))) / 4.0)
    return keras.Model(given, ops.matmul(weights, value))


def _instance_norm(x: keras.KerasTensor) -> keras.KerasTensor:
    mean = ops.mean(x, (1, 2), keepdims=True)
    centred = x - mean
    return centred * ops.rsqrt(ops.mean(ops.square(centred), (1, 2), keepdims=True) + 1e-5)


def _style(gain: float, up: keras.layers.Layer) -> keras.Model:
    given = x = image()
    x = _instance_norm(layers.Conv2D(8, 3, padding="same", kernel_initializer=keras.initializers.RandomNormal(0, gain))(x))
    x = _instance_norm(layers.Conv2D(16, 3, 2, padding="same", activation="relu")(x))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(up(x))
    return keras.Model(given, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


@network
def style_transfer_InstanceNorm() -> keras.Model:  # noqa: N802
    """Convolutions, instance norms, and Keras' UpSampling2D, which becomes tensors of rank 5."""
    return _style(0.2, layers.UpSampling2D())


@network
def style_transfer_of_large_weights() -> keras.Model:
    """The same with a first convolution whose squares leave half precision, and a transposed one."""
    return _style(200.0, layers.Conv2DTranspose(16, 2, strides=2))


@network
def depth_net_bilinear() -> keras.Model:
    """Down by strides, up by bilinear resizing."""
    given = x = image()
    for width in (8, 16):
        x = layers.Conv2D(width, 3, 2, padding="same", activation="relu")(x)
    for width in (16, 8):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(layers.UpSampling2D(interpolation="bilinear")(x))
    return keras.Model(given, layers.Conv2D(1, 3, padding="same", activation="softplus")(x))


@network
def SPAN() -> keras.Model:  # noqa: N802
    """This project's, random weights, x4."""
    from keras_models import SPAN as Network
    from keras_models import fold

    network = fold(Network.from_preset("span-28-x4", load_weights=False))
    given = image()
    return keras.Model(given, network(given))


@network
def classifier_with_global_mean() -> keras.Model:
    """Convolutions, a mean over the map, softmax."""
    given = x = image()
    for width in (8, 16):
        x = layers.Conv2D(width, 3, 2, padding="same", activation="relu6")(x)
    return keras.Model(given, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


@network
def segmentation_head() -> keras.Model:
    """Separable convolutions, bilinear to full size, softmax at each pixel."""
    given = x = image()
    x = layers.SeparableConv2D(16, 3, 4, padding="same", activation="relu")(x)
    x = layers.UpSampling2D(4, interpolation="bilinear")(layers.Conv2D(5, 1)(x))
    return keras.Model(given, layers.Softmax()(x))


@network
def long_SUM() -> keras.Model:  # noqa: N802
    """65,536 squares are added up, which leaves half precision, and a root is taken."""
    given = image(128, 4)
    total = ops.sum(ops.square(given * 4.0), (1, 2), keepdims=True)
    return keras.Model(given, given * ops.rsqrt(total + 1e-3) * 100.0)


@network
def long_mean() -> keras.Model:
    """A mean of 16,384 numbers around 40, taken away."""
    given = image(128, 4)
    large = given + 40.0
    return keras.Model(given, large - ops.mean(large, (1, 2), keepdims=True))


def tflite_of(model: keras.Model, path: Path) -> Path:
    """The file that TensorFlow's converter makes of it."""
    import tensorflow as tf

    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists what it exports
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


def row(name: str, folder: Path) -> str:
    """A line of the table, every cell run."""
    from conversion.gpu.bisect import bisect_on_gpu
    from conversion.half_safe import write_half_safe
    from conversion.measuring.any_file import verify_any
    from conversion.measuring.feeds import Fed, feeds_of
    from conversion.measuring.inspection import inspect_tflite
    from keras_models.system.errors import MobileSRError

    keras.utils.set_random_seed(0)
    path = tflite_of(MADE[name](), folder / f"{name.replace(' ', '-')}.tflite")
    said = inspect_tflite(path)
    checker = "takes it" if said.gpu_compatible else "; ".join(said.gpu_reasons)
    gpu = verify_any(path, gpu=True).gpu
    assert gpu is not None
    engine = (
        "refuses it"
        if gpu.refused
        else "; ".join(dict.fromkeys(f"{o.precision} wrong" for o in gpu.outputs if o.leaves)) or "right in both"
    )
    data, feeds = feeds_of(path, Fed())
    found = bisect_on_gpu(path, feeds, data)
    broken = f"{found.half.number} {found.half.operation}: {found.half.reason}" if found.half else "nowhere"
    try:
        done = write_half_safe(path, path.with_suffix(".safe.tflite"))
        mended = f"{len(done.exponents)} tensors rescaled: {done.largest[0]:.3g} to {done.largest[1]:.3g}, half {done.half:.2g} off"
    except MobileSRError as error:
        mended = "-" if "no tensor leaves" in str(error) else "refused: " + str(error).split(": ", 1)[1]
    operations = sum(said.operations.values())
    return f"| {name} | {operations} | {checker} | {engine} | {broken} | {mended} |"


def main() -> None:
    """Prints the table."""
    print("| network | operations | checker | engine | half breaks in operation | `--half-safe` |\n|---|---|---|---|---|---|")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or MADE:
            print(row(name, Path(folder)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
