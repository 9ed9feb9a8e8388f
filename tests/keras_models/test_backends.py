"""The networks on Keras' other backends: the same comparisons with the authors' outputs, in processes of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = ["tests/keras_models/test_blocks.py", "tests/keras_models/test_lkdn.py::test_network_equals_the_authors_code"]


def compare_on(backend):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *FILES]
    environment = {**os.environ, "KERAS_BACKEND": backend, "MOBILE_SR_REQUIRE_SHARED": "1"}
    process = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0 and "skipped" not in process.stdout, process.stdout[-3000:]


def test_jax(shared):
    compare_on("jax")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is gigabytes: install it for this check alone")
def test_torch(shared):
    compare_on("torch")
