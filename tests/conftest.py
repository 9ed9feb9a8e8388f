"""Paths of the reference material, and networks that many tests share."""

import os

import numpy as np
import pytest
from support.networks import RELEASED, SHARED
from support.tiny_models import nearest_engine, tiny_model  # noqa: F401  (fixtures of all tests)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

@pytest.fixture(autouse=True)
def _own_numbers(request):
    """A test draws the same numbers whichever tests ran before it."""
    if hasattr(request.module, "RNG"):
        request.module.RNG = np.random.default_rng(1)


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
def converted(released, tmp_path_factory):
    """A function that gives a released checkpoint's .tflite of 64x64 tiles, once."""
    from conversion.convert_model import convert

    folder = tmp_path_factory.mktemp("converted")

    def tflite(name, recipe="float32"):
        path = folder / f"{name}_{recipe}.tflite"
        if not path.exists():
            convert(SHARED / "reference" / (name + RELEASED[name]), path, recipe, (64, 64))
        return path

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
