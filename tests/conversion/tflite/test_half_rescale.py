"""Foreign float files are rescaled by powers of two: the same numbers in single precision, inside half's range, or refused with reasons."""

import numpy as np
import pytest
from support.command_line import one_line_error, run
from support.gpu_op_models import MAP, Net, constant, ints
from support.planted_faults import chain, exponential, overflow

from conversion.gpu.bisect import bisect_on_gpu, taps_of
from conversion.half_safe import write_half_safe
from conversion.measuring.feeds import Fed, feeds_of
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import parse_checked, read_checked
from conversion.tflite.half_rescale import rescaled
from keras_models.system.errors import ConversionError

_CONV = {"options": "Conv2D", "padding": 0, "strideW": 1, "strideH": 1, "out": MAP}
NETS = {}


def net(function):
    NETS[function.__name__] = function
    return function


def _conv(n, x, size, **more):
    kernel = np.random.default_rng(2).normal(size=(MAP[3], 3, 3, MAP[3])).astype(np.float32) * np.float32(size)
    return n.op("CONV_2D", x, kernel, constant(MAP[3]) * np.float32(size), **_CONV, **more)


@net
def norm_of_large_values(n):
    """x / sqrt(mean(x**2) + epsilon), of values to 1e4, whose squares reach 1e8."""
    large = _conv(n, n.x, 1e4)
    mean = n.op("MEAN", n.op("SQUARE", large), ints(3), options="Reducer", keepDims=True, out=(*MAP[:3], 1))
    root = n.op("RSQRT", n.op("ADD", mean, np.float32(1e-3), options="Add", out=(*MAP[:3], 1)), out=(*MAP[:3], 1))
    return n.op("MUL", large, root, options="Mul")


@net
def product_of_large_values(n):
    return _conv(n, n.op("MUL", _conv(n, n.x, 300, fusedActivationFunction=1), _conv(n, n.x, 900), options="Mul"), 1e-6)


@net
def residual_of_large_values(n):
    """The sum leaves half, its inputs are read elsewhere too, and what follows clips at 6."""
    large = _conv(n, n.x, 1e5)
    total = n.op("ADD", large, n.op("RELU", large), options="Add")
    joined = n.op("CONCATENATION", total, large, options="Concatenation", axis=3, out=(1, 8, 8, 8))
    kernel = np.full((4, 1, 1, 8), 1e-5, np.float32)
    return n.op("RELU6", n.op("CONV_2D", joined, kernel, constant(4), **_CONV))


@net
def tiny_values(n):
    return n.op("MUL", n.op("MUL", n.op("MUL", n.x, np.float32(1e-6), options="Mul"), np.float32(1e-5), options="Mul"), np.float32(1e11),
                options="Mul")  # fmt: skip


@net
def variance_of_large_values(n):
    large = _conv(n, n.x, 1e4)
    mean = n.op("MEAN", large, ints(1, 2), options="Reducer", keepDims=True, out=(1, 1, 1, 4))
    apart = n.op("SQUARED_DIFFERENCE", large, mean, options="SquaredDifference")
    spread = n.op("MEAN", apart, ints(1, 2), options="Reducer", keepDims=True, out=(1, 1, 1, 4))
    away = n.op("SQUARED_DIFFERENCE", large, np.float32(2e3), options="SquaredDifference")
    size = n.op("ADD", n.op("SQUARE", spread, out=(1, 1, 1, 4)), np.float32(1e12), options="Add", out=(1, 1, 1, 4))
    return n.op("MUL", away, n.op("RSQRT", size, out=(1, 1, 1, 4)), options="Mul")


@net
def quotient_of_large_values(n):
    large = n.op("ADD", n.op("SQUARE", _conv(n, n.x, 1000)), np.float32(1e6), options="Add")
    return n.op("DIV", _conv(n, n.x, 1e6), large, options="Div")


@net
def root_and_difference(n):
    large = n.op("SQUARE", n.op("SUB", _conv(n, n.x, 1e4), np.float32(3e3), options="Sub"))
    mean = n.op("MEAN", large, ints(1, 2), options="Reducer", keepDims=True, out=(1, 1, 1, 4))
    return n.op("MUL", n.op("SQRT", mean, out=(1, 1, 1, 4)), np.float32(1e-4), options="Mul", out=(1, 1, 1, 4))


def made(name, path):
    n = Net(MAP)
    n.write(path, NETS[name](n))
    return path


def largest(data, feeds, path):
    taps = {tensor for _, tensor in taps_of(parse_checked(data, "m"))}
    runs = all_tensors(data, [*feeds.values()], taps, path)
    return {tensor: max(float(np.abs(run_[tensor]).max()) for run_ in runs) for tensor in taps}


@pytest.mark.parametrize("name", NETS)
def test_the_same_numbers_inside_half_s_range(name, tmp_path):
    path = made(name, tmp_path / "m.tflite")
    data, feeds = feeds_of(path, Fed())
    before = largest(data, feeds, path)
    result = rescaled(data, before)
    assert result.blocked == [] and result.exponents and (max(before.values()) > 65504 or min(before.values()) < 2**-14)
    assert max(largest(result.data, feeds, path).values()) < 8192
    outputs = [parse_checked(d, "m").subgraphs[0].outputs for d in (data, result.data)]
    for old, new in zip(all_tensors(data, [*feeds.values()], set(map(int, outputs[0])), path),
                        all_tensors(result.data, [*feeds.values()], set(map(int, outputs[1])), path)):  # fmt: skip
        right, got = old[int(outputs[0][0])], new[int(outputs[1][0])]
        assert np.abs(got - right).max() <= 1e-6 * np.abs(right).max(), "powers of two are exact"


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETS)
def test_a_rescaled_file_is_right_in_half_precision(name, software_vulkan, monkeypatch, tmp_path):
    monkeypatch.setattr("conversion.gpu.tensors.system_device", lambda: None)
    path = made(name, tmp_path / "m.tflite")
    data, feeds = feeds_of(path, Fed())
    assert bisect_on_gpu(path, feeds, data).half is not None, "control: it breaks as it is"
    done = write_half_safe(path, tmp_path / "safe.tflite")
    assert done.exponents and done.largest[1] < 8192
    data, feeds = feeds_of(tmp_path / "safe.tflite", Fed())
    assert bisect_on_gpu(tmp_path / "safe.tflite", feeds, data).problems == ()


def test_what_stands_in_the_way_is_listed(tmp_path):
    path = chain(tmp_path / "exp.tflite", 25, exponential)
    data, feeds = feeds_of(path, Fed())
    result = rescaled(data, largest(data, feeds, path))
    assert result.data == data and len(result.blocked) == 1 and "operation 27, EXP: gives up to" in result.blocked[0]
    n = Net(MAP)
    n.write(path, n.op("TANH", _conv(n, n.x, 1e5)))
    with pytest.raises(ConversionError, match="1 operations stand in the way.*operation 1, TANH: takes values up to"):
        write_half_safe(path, tmp_path / "no.tflite")
    n = Net(MAP)
    n.write(path, _conv(n, n.x, 1e5))
    with pytest.raises(ConversionError, match="output 0 reaches"):
        write_half_safe(path, tmp_path / "no.tflite")
    n = Net(MAP)
    n.write(path, _conv(n, n.x, 0.1))
    with pytest.raises(ConversionError, match="no tensor leaves"):
        write_half_safe(path, tmp_path / "no.tflite")
    assert not (tmp_path / "no.tflite").exists()


@pytest.mark.gpu
def test_command_line(software_vulkan, tmp_path):
    path = chain(tmp_path / "m.tflite", 25, overflow)
    done = run("convert", path, "-o", tmp_path / "safe.tflite", "--half-safe")
    assert done.returncode == 0 and "1 tensors rescaled" in done.stdout, done.stderr
    assert run("verify", tmp_path / "safe.tflite", "--gpu", "--bisect").returncode == 0
    assert read_checked(tmp_path / "safe.tflite")
    assert "leave it out" in one_line_error(run("convert", path, "-o", tmp_path / "x.tflite", "--half-safe", "--tile", "9x9"))
    assert "give one" in one_line_error(run("convert", "lkdn-s", "-o", tmp_path / "x.tflite", "--half-safe"))
