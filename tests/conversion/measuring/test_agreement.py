"""A file against its network: what rounding does to the network is allowed, a fault is not."""

import numpy as np
import pytest

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.measuring.verify import verify_tflite
from keras_models import SuperResolution


@pytest.fixture(scope="module")
def span(reference):
    return SuperResolution.from_preset(reference / "span_x4.pth")


@pytest.fixture(scope="module")
def span_file(span, tmp_path_factory):
    path = tmp_path_factory.mktemp("span") / "span.tflite"
    convert(span, path, tile=(32, 32))
    return path


def test_a_network_that_amplifies_rounding_agrees_with_its_file(span, span_file):
    found = verify_tflite(span_file, span)
    assert found.problems == ()
    noise = np.random.default_rng(0).integers(0, 2, (32, 32, 3)).astype(np.float32)
    one_step = CpuEngine(span_file).run(noise * (1 + np.float32(2**-23)))
    assert np.abs(one_step - CpuEngine(span_file).run(noise)).max() > 2e-5  # a bound for all networks would be wrong


def test_a_weight_that_is_a_thousandth_off_is_found(span_file, reference):
    other = SuperResolution.from_preset(reference / "span_x4.pth")
    kernel = max(other.weights, key=lambda weight: weight.shape[-1] if len(weight.shape) == 4 else 0)
    kernel.assign(kernel * 1.001)
    assert any("differs" in problem for problem in verify_tflite(span_file, other).problems)
