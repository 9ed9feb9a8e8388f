"""The parser of benchmark_model's output on every recorded sample."""

from dataclasses import replace

import pytest
from support.fake_adb import sections

from conversion.measuring.benchmark.log import Delegation, parse_log

XNNPACK = Delegation("TfLiteXNNPackDelegate", 118, 121, 4)
EXPECTED = {  # exit status, init us, first us, average us, applied, GPU API, delegations
    "cpu_new": (0, 21482, 101220, 89015.4, "partially", None, [XNNPACK]),
    "gpu_full_old": (0, 1870560, 24130, 16103.1, "completely", "OpenCL", []),
    "gpu_partial": (0, 1204110, 2449490, 2395030, "partially", "OpenCL", [Delegation("TfLiteGpuDelegateV2", 97, 297, 3)]),
    "gpu_silent_cpu": (0, 31200, 201220, 189015, "not", None, []),
    "gpu_gl_fallback": (0, 640200, 61220, 49015, "completely", "OpenGL", []),
    "missing_model": (1, None, None, None, None, None, []),
    "full_delegation_refused": (1, None, None, None, None, None, []),
    "killed": (137, None, None, None, None, None, []),
    "segv": (139, None, None, None, None, None, []),
    "adb_no_device": (1, None, None, None, None, None, []),
    "adb_unauthorized": (1, None, None, None, None, None, []),
    "adb_two_devices": (1, None, None, None, None, None, []),
    "not_executable": (126, None, None, None, None, None, []),
    "not_pushed": (127, None, None, None, None, None, []),
    "logcat_apk": (0, 92318, 187533, 145528, None, None, [XNNPACK]),
    "op_profile_stdout": (0, None, None, None, None, None, []),
    "op_profile_csv": (0, None, None, None, None, None, []),
}


@pytest.fixture(scope="module")
def samples(shared):
    return sections(shared / "android" / "benchmark_logs.txt")


def test_every_sample_is_expected(samples):
    assert samples.keys() == EXPECTED.keys() and len(EXPECTED) == 17


@pytest.mark.parametrize("name", EXPECTED)
def test_times_and_delegates(samples, name):
    status, text = samples[name]
    log = parse_log(text)
    found = (status, log.init_us, log.first_us, log.average_us, log.applied, log.backend, log.delegations)
    assert found == EXPECTED[name]
    assert log.finished == (log.average_us is not None)


def test_settings_are_those_that_the_tool_repeats(samples):
    assert parse_log(samples["cpu_new"][1]).settings["Num threads"] == "4"
    assert parse_log(samples["missing_model"][1]).settings == {"Graph": "/data/local/tmp/nope.tflite"}
    assert parse_log(samples["full_delegation_refused"][1]).settings["Require full delegation"] == "1"
    for name in ("killed", "segv"):
        assert parse_log(samples[name][1]).settings["Use gpu"] == "1"
    assert parse_log(samples["logcat_apk"][1]).settings["Graph"] == "/data/local/tmp/m.tflite"


def test_series_of_runs(samples):
    log = parse_log(samples["cpu_new"][1])
    assert (log.runs.count, log.runs.minimum, log.runs.median, log.runs.p95) == (50, 87120, 88512, 93480)
    assert (log.warm_up.count, log.warm_up.average) == (6, 91034.2)
    old = parse_log(samples["gpu_full_old"][1]).runs
    assert (old.count, old.median, old.p95, old.maximum) == (62, None, None, 17702)
    phone_app = parse_log(samples["logcat_apk"][1])
    assert (phone_app.warm_up.count, phone_app.runs.count, phone_app.runs.minimum) == (3, 25, 140071)


def test_a_single_run_prints_one_number(samples):
    warm_up = parse_log(samples["gpu_partial"][1]).warm_up
    assert (warm_up.count, warm_up.first, warm_up.minimum, warm_up.median) == (1, 2449490, 2449490, 2449490)


def test_memory(samples):
    log = parse_log(samples["cpu_new"][1])
    assert (log.init_mb, log.overall_mb, log.peak_mb) == (12.4102, 61.7734, 74.2109)
    assert parse_log(samples["gpu_full_old"][1]).peak_mb is None
    assert parse_log("Peak memory footprint (MB): init=3.5 overall=7.25").overall_mb == 7.25  # builds of 2020


def test_refused_operations(samples):
    log = parse_log(samples["gpu_partial"][1])
    assert log.refused == {
        "CAST": "Not supported cast case",
        "RESHAPE": "OP is supported, but tensor type/shape isn't compatible.",
        "UNPACK": "Operation is not supported.",
    }
    assert not parse_log(samples["cpu_new"][1]).refused


def test_operator_profile_of_standard_output(samples):
    ops = parse_log(samples["op_profile_stdout"][1]).ops
    assert [(op.part, op.kind, op.average_ms) for op in ops] == [
        ("initialization", "AllocateTensors", 1.356),
        ("inference", "CONV_2D", 20.957),
        ("inference", "DEPTHWISE_CONV_2D", 9.870),
        ("inference", "DEPTH_TO_SPACE", 11.105),
    ]
    assert ops[2].name == "[lkdn_s/b0/dw]:1" and ops[2].share == 23.538
    assert sum(op.share for op in ops if op.part == "inference") == pytest.approx(100, abs=0.01)


def test_operator_profile_in_csv_is_found_by_its_header(samples):
    text = samples["op_profile_csv"][1]
    ops = parse_log(text).ops
    assert [(op.kind, op.average_ms, op.name) for op in ops] == [
        ("CONV_2D", 0.0930388, "[lkdn_s/head/Conv2D]:0"),
        ("DEPTH_TO_SPACE", 0.0587, "[lkdn_s/tail]:1"),
    ]
    moved = text.replace("avg_ms, %, cdf%", "%, avg_ms, cdf%").replace("0.0930388, 61.3%, 61.3%", "61.3%, 0.0930388, 61.3%")
    moved = moved.replace("0.0587, 38.7%, 100%", "38.7%, 0.0587, 100%")
    assert parse_log(moved).ops == ops


def test_names_may_hold_commas():
    text = "Operator-wise Profiling Info for Regular Benchmark Runs:\n===== Run Order =====\n"
    text += "node type, start, first, avg_ms, %, cdf%, mem KB, times called, name\nADD, 0, 1, 2, 100%, 100%, 0, 1, [a, b]:0\n\n"
    assert [op.name for op in parse_log(text).ops] == ["[a, b]:0"]


def test_bare_and_prefixed_lines_mean_the_same(samples):
    text = samples["gpu_gl_fallback"][1]
    bare = text.replace("INFO: ", "").replace("ERROR: ", "")
    logcat = "".join(f"07-14 13:14:52.097 22838 22838 I tflite  : {line}\r\n" for line in bare.splitlines())
    expected = parse_log(text)
    for other in (bare, logcat, text.replace("\n", "\r\n")):
        assert parse_log(other) == expected


def test_a_log_cut_short_is_not_finished(samples):
    text = samples["cpu_new"][1]
    cut = parse_log(text[: text.index("INFO: Inference timings")])
    assert not cut.finished and cut.runs is not None


def test_the_delegate_profile_is_told_apart(samples):
    text = samples["op_profile_csv"][1]
    inside = text.replace("Operator-wise Profiling Info for Regular Benchmark Runs:", "Delegate internal: ")
    assert parse_log(inside).ops == [replace(op, part="delegate") for op in parse_log(text).ops]
