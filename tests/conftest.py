"""Paths of the reference material, and networks that many tests share."""

import functools
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several of us compute at a time, so each, and what it starts, computes on one thread (read at imports).
    one_each = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS")
    os.environ |= dict.fromkeys(one_each, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# JAX compiles each small network for itself: half of the time of its tests went into making code quick that runs once.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from support.made_once import made_once  # noqa: E402
from support.networks import RELEASED, SHARED, randomise  # noqa: E402
from support.tiny_models import nearest_engine, tiny_model  # noqa: E402, F401  (fixtures of all tests)

LONGEST = [f"test_{name}.py" for name in ("device_run", "readme_python", "qat", "readme", "fuzz", "signals", "examples")]
"""Files that take a worker half a minute and more, by far not the most tests: begun last, they would keep one busy and the other idle."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def rng():
    """A generator of random numbers that starts alike in every test, whichever ran before."""
    return np.random.default_rng(1)


@pytest.fixture
def eagerly():
    """TensorFlow runs its functions as plain Python, which for a few small steps takes less time than tracing."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def shared():
    """The folder of reference outputs and images; it is not part of a user's clone."""
    if not SHARED.is_dir():
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "the reference material must be there in CI"
        pytest.skip("needs the reference material ../shared, which is not part of a clone")
    return SHARED


@pytest.fixture(scope="session")
def reference(shared):
    return shared / "reference"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, worker_id):
    """A folder that all workers of this run of the tests share (`support.made_once`)."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def released(reference):
    """A function that opens a released checkpoint as a network, once."""
    from keras_models.checkpoints.loading import load_model

    opened = {}

    def load(name):
        if name not in opened:
            variant = "BSConvU_idt" if "idt" in name else None
            opened[name] = load_model(reference / (name + RELEASED[name]), variant)
        return opened[name]

    return load


@pytest.fixture(scope="session")
def preset():
    """Preset's name -> (training form, deploy form) of the same random weights, built once; change neither."""
    from keras_models.checkpoints.loading import build_preset
    from keras_models.folding import fold
    from keras_models.registry import PRESETS

    @functools.cache
    def build(name):
        training = randomise(build_preset(PRESETS[name]))
        return training, fold(training)

    return build


@pytest.fixture(scope="session")
def converted(reference, run_folder):
    """Released checkpoint's name -> its .tflite of 64x64 tiles, with its card beside it, made once for all workers."""
    from conversion.convert_model import convert

    def tflite(name, recipe="float32"):
        checkpoint = reference / (name + RELEASED[name])
        folder = made_once(
            run_folder / f"converted_{name}_{recipe}",
            lambda folder: convert(checkpoint, folder / f"{name}_{recipe}.tflite", recipe, (64, 64)),
        )
        return folder / f"{name}_{recipe}.tflite"

    return tflite


@pytest.fixture(scope="session")
def software_vulkan():
    """Name -> software Vulkan device; unpacked by scripts/gpu_packages.sh."""
    from conversion.gpu.devices import software_devices

    devices = {device.name: device for device in software_devices()}
    if not devices:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "the software Vulkan devices must be there in CI"
        pytest.skip("needs the software Vulkan devices: run scripts/gpu_packages.sh")
    return devices
