"""Faults that only half precision notices are planted in one operation of sixty, and that operation is named."""

import json

import numpy as np
import pytest
from support.command_line import one_line_error, run
from support.gpu_op_models import Net, constant
from support.planted_faults import LENGTH, MAP, cancellation, chain, exponential, nothing_by_nothing, overflow, underflow

from conversion.gpu.bisect import bisect_on_gpu
from conversion.gpu.ops import check_gpu
from conversion.gpu.rounding_bound import HALF_STEP, leaving
from conversion.gpu.tensors import TensorJob, TensorRun, run_parts
from conversion.measuring.feeds import Fed, feeds_of
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import read_checked
from conversion.tflite.prefixes import part_of
from keras_models.system.errors import ModelError


@pytest.fixture(autouse=True)
def without_a_real_gpu(monkeypatch):
    monkeypatch.setattr("conversion.gpu.tensors.system_device", lambda: None)


def bisected(path):
    data, feeds = feeds_of(path, Fed())
    return bisect_on_gpu(path, feeds, data)


def test_a_chain_without_a_fault_and_one_with(software_vulkan, tmp_path):
    control = bisected(chain(tmp_path / "control.tflite"))
    assert control.problems == () and control.half is control.single is control.refused is None
    assert control.compared == control.operations == LENGTH and not any(step.leaves for step in control.steps)
    found = bisected(chain(tmp_path / "fault.tflite", 17, overflow))
    assert (found.half.number, found.half.operation, found.half.alone) == (17, "MUL", True)
    assert found.half.difference is None and found.half.result[1] > 65504 and found.half.reason.startswith("overflow")
    assert found.single is None and not any(step.leaves for step in found.steps[:17])
    json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.gpu
@pytest.mark.parametrize("fault", [0, 4, 11, 16, 23, 29, 35, 42, 50, 58])
def test_an_overflow_is_found_wherever_it_stands(fault, software_vulkan, tmp_path):
    found = bisected(chain(tmp_path / "fault.tflite", fault, overflow))
    assert found.half.number == fault and found.half.reason.startswith("overflow") and found.single is None


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("plant", "behind", "operation", "reason"),
    [
        (nothing_by_nothing, 3, "DIV", "0/0"),
        (underflow, 1, "MUL", "subnormal"),
        (cancellation, 1, "SUB", "cancellation"),
        (exponential, 2, "EXP", "exp: its results reach"),
    ],
)
def test_each_kind_of_fault_is_named(plant, behind, operation, reason, software_vulkan, tmp_path):
    found = bisected(chain(tmp_path / "fault.tflite", 25, plant))
    assert (found.half.number, found.half.operation) == (25 + behind, operation) and found.half.reason.startswith(reason)
    assert found.half.alone and found.single is None
    assert reason in found.as_text() and f"operation {25 + behind}, {operation}" in found.problems[0]


@pytest.mark.gpu
def test_wrong_values_in_single_precision_are_told_apart(software_vulkan, tmp_path):
    """The engine's own fault: an operation that reads two outputs of a SPLIT gets wrong values, and takes the file gladly."""
    net = Net((1, 8, 8, 8))
    halves = net.op("SPLIT", np.asarray(3, np.int32), net.x, options="Split", numSplits=2, outs=[(1, 8, 8, 4)] * 2)
    net.write(tmp_path / "halves.tflite", net.op("SUB", *halves, options="Sub", out=(1, 8, 8, 4)))
    found = bisected(tmp_path / "halves.tflite")
    assert found.problems, "the engine has mended it: so has the operator table to be"
    assert (found.single or found.half).operation in ("SUB", "SPLIT")


@pytest.mark.gpu
def test_what_the_engine_refuses_is_said_and_the_rest_compared(software_vulkan, tmp_path):
    net = Net(MAP)
    x = net.op("MUL", net.op("MUL", net.x, np.float32(3e5), options="Mul"), np.float32(1e-5), options="Mul")
    net.write(tmp_path / "norm.tflite", net.op("L2_NORMALIZATION", x, options="L2Norm"))
    found = bisected(tmp_path / "norm.tflite")
    assert "L2_NORMALIZATION" in found.refused and found.compared == 2 and found.half.number == 0
    assert len(found.problems) == 2


def test_a_part_computes_what_the_whole_did(tmp_path):
    path = chain(tmp_path / "chain.tflite")
    data, model = read_checked(path)
    feed = {0: np.random.default_rng(3).random(MAP, dtype=np.float32)}
    made = [int(op.outputs[0]) for op in model.subgraphs[0].operators]
    whole = all_tensors(data, [feed], set(made), path)[0]
    for number in (0, 7, 31):
        tensor = made[number]
        assert np.array_equal(all_tensors(part_of(data, [tensor]), [feed], {tensor}, path)[0][tensor], whole[tensor])
        between = part_of(data, [made[number + 2]], [tensor])
        given = all_tensors(between, [{tensor: whole[tensor]}], {made[number + 2]}, path)[0]
        assert np.array_equal(given[made[number + 2]], whole[made[number + 2]])
        assert len(between) < len(part_of(data, [made[-1]]))


@pytest.mark.gpu
def test_copies_are_needed(software_vulkan, tmp_path):
    """Why results are copied: the engine leaves an output unwritten that it has fused into the operation behind it."""
    path = chain(tmp_path / "chain.tflite")
    data, model = read_checked(path)
    made = tuple(int(op.outputs[0]) for op in model.subgraphs[0].operators)
    feed = {0: np.random.default_rng(3).random(MAP, dtype=np.float32)}
    (run_,) = run_parts(path, [TensorJob(data, made, [feed], False)], software_vulkan["swiftshader"])
    right = all_tensors(data, [feed], set(made), path)[0]
    assert isinstance(run_, TensorRun)
    for tensor in made:
        assert np.abs(run_.values[0][tensor] - right[tensor]).max() < 1e-5


@pytest.mark.gpu
def test_an_output_that_is_read_on_is_left_unwritten(software_vulkan, tmp_path):
    """What the copies are for, and what the checker says of such a file: a convolution's result between it and an addition."""
    net = Net(MAP)
    kernel = np.random.default_rng(0).normal(size=(8, 3, 3, 8)).astype(np.float32)
    conv = net.op("CONV_2D", net.x, kernel, np.zeros(8, np.float32), options="Conv2D", padding=0, strideW=1, strideH=1)
    net.write(tmp_path / "m.tflite", net.op("ADD", conv, constant(8), options="Add"))
    data, model = read_checked(tmp_path / "m.tflite")
    assert check_gpu(tmp_path / "m.tflite").compatible
    total = int(model.subgraphs[0].outputs[0])
    feed = {0: np.random.default_rng(3).random(MAP, dtype=np.float32)}
    right = all_tensors(data, [feed], {conv, total}, tmp_path)[0]
    jobs = [TensorJob(data, (conv, total), [feed], False, copied=copied) for copied in (True, False)]
    off = [np.abs(run_.values[0][conv] - right[conv]).max() for run_ in run_parts(tmp_path, jobs, software_vulkan["swiftshader"])]
    assert off[0] < 1e-5 and not off[1] < 1e-5, "the engine has mended it: so has the checker's rule to be"
    (tmp_path / "both.tflite").write_bytes(part_of(data, (conv, total)))
    assert "an output that another operation reads" in check_gpu(tmp_path / "both.tflite").reasons[0]


def test_bounds_follow_the_rounding_of_the_inputs():
    rng = np.random.default_rng(0)
    right = rng.normal(size=1000).astype(np.float32)
    off = right + (0.1 * rng.normal(size=1000)).astype(np.float32)
    assert leaving(right, [right], off, False).ratio > 1, "nothing moves it but its own rounding"
    assert leaving(right, [right + np.float32(0.01)], off, False).ratio < 1, "its network amplifies rounding"
    assert leaving(right, [right], right * (1 + np.float32(HALF_STEP)), False).ratio < 1
    assert leaving(right, [right], right * (1 + np.float32(HALF_STEP)), True).ratio > 1, "that is no single precision"
    hurt = right.copy()
    hurt[3] = np.nan
    assert leaving(right, [right], hurt, False).ratio == np.inf and leaving(hurt, [right], hurt, False).ratio == 0


@pytest.mark.gpu
def test_command_line_and_what_is_refused(software_vulkan, tmp_path, tiny_model):
    path = chain(tmp_path / "fault.tflite", 9, nothing_by_nothing)
    found = run("verify", path, "--gpu", "--bisect", "--inputs", "normal", "--seed", "4", "--json", tmp_path / "found.json")
    assert "half precision breaks in operation 12, DIV: 0/0" in one_line_error(found)
    assert json.loads((tmp_path / "found.json").read_text())["half"]["number"] == 12 and "reads" in found.stdout
    assert "add --gpu" in one_line_error(run("verify", path, "--bisect"))
    with pytest.raises(ModelError, match="integer file"):
        bisected(tiny_model("int8"))
    plain = Net(MAP)
    plain.write(tmp_path / "plain.tflite", plain.op("MUL", plain.x, constant(8), options="Mul"))
    for wrong, words in ((["gauss"], "uniform"), (["none.npz"], "no such file")):
        with pytest.raises(ModelError, match=words):
            feeds_of(tmp_path / "plain.tflite", Fed(wrong))
