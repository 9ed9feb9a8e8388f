"""The phone's benchmark against a stand-in adb that replays recorded outputs and adb's failures."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import one_line_error, run

from conversion.measuring.benchmark.adb import AdbError, Phone
from conversion.measuring.benchmark.phone import BINARY, PhoneJob, benchmark_on_phone
from keras_models.system.errors import ModelError

FAKE = str(Path(__file__).parents[3] / "tests/support/fake_adb.py")
PROFILED = "profiled"


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A function that makes a phone of a scenario; `phone.calls()` gives what adb was asked."""
    record = tmp_path / "calls"

    def make(scenario, serial=None, logs=None):
        record.write_text("")
        monkeypatch.setenv("FAKE_ADB_SCENARIO", scenario)
        monkeypatch.setenv("FAKE_ADB_CALLS", str(record))
        monkeypatch.setenv("FAKE_ADB_LOGS", str(logs))
        return Phone(FAKE, serial)

    make.calls = lambda: [json.loads(line) for line in record.read_text().splitlines()]
    return make


@pytest.fixture
def replay(phone, shared):
    """A phone whose runs print recorded outputs."""
    return lambda scenario, **more: phone(scenario, logs=shared / "android" / "benchmark_logs.txt", **more)


@pytest.fixture
def files(tmp_path):
    names = ("benchmark_model", "a model.tflite", "b.tflite")
    for name in names:
        (tmp_path / name).write_bytes(b"\0" * 100)
    return [tmp_path / name for name in names]


def job(paths, **changes):
    return PhoneJob(**{"files": paths[1:2], "binary": paths[0], "pause_s": 20, **changes})


def measure(paths, phone, **changes):
    waits = []
    return benchmark_on_phone(job(paths, **changes), phone, waits.append), waits


def test_cpu_run(files, replay, phone):
    result, waits = measure(files, replay("cpu_new"), threads=(4,))
    (row,) = result.rows
    assert result.device == "Maker Phone 1, CHIP9000, Android 15"
    assert (row.init_ms, row.first_ms, row.median_ms, row.p95_ms, row.min_ms) == (21.482, 101.220, 88.512, 93.480, 87.120)
    assert (row.memory_mb, row.runs, row.threads, row.problem) == (74.2109, 50, 4, None)
    assert not waits and not result.problems


def test_what_the_phone_is_asked_to_do(files, replay, phone):
    measure(files, replay("cpu_new", serial="X1"), engines=("xnnpack-fp16",), threads=(2,), runs=30, profile=True)
    calls = phone.calls()
    assert all(call[:2] == ["-s", "X1"] for call in calls)
    (command,) = [call[3] for call in calls if "--graph=" in call[-1]]
    assert command.startswith(f"{BINARY} --graph=/data/local/tmp/mobile-sr/a_model.tflite --num_runs=30 ")
    for flag in ("--use_xnnpack=true", "--xnnpack_force_fp16=true", "--num_threads=2", "--enable_op_profiling=true"):
        assert flag in command
    assert [call[2] for call in calls].count("push") == 2
    assert calls[-1][3].startswith("rm -rf /data/local/tmp/mobile-sr;")  # nothing stays


@pytest.mark.parametrize(("engine", "flags"), [("cpu", "--use_xnnpack=false"), ("gpu-fp32", "--gpu_precision_loss_allowed=false")])
def test_flags_of_engines(files, replay, phone, engine, flags):
    measure(files, replay("gpu_full_old"), engines=(engine,))
    assert any(flags in call[-1] for call in phone.calls())


def test_pause_between_measurements_only(files, replay):
    result, waits = measure(files, replay("cpu_new"), files=files[1:], engines=("xnnpack",), threads=(1, 2))
    assert [(r.file, r.threads) for r in result.rows] == [(f.name, t) for f in files[1:] for t in (1, 2)]
    assert waits == [20, 20, 20]


def test_gpu_run_has_no_threads(files, replay, phone):
    result, _ = measure(files, replay("gpu_gl_fallback"), engines=("gpu",), threads=(1, 2))
    (row,) = result.rows
    assert (row.threads, row.backend, row.average_ms) == (None, "OpenGL", 49.015)
    assert not any("--num_threads" in call[-1] for call in phone.calls())


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("gpu_silent_cpu", "all of it ran on the CPU although the GPU was asked for"),
        ("gpu_partial", "only a part of the graph ran on the GPU, 97 of 297 operations (CAST: Not supported cast case, RESHAPE:"),
        ("full_delegation_refused", "the GPU delegate refused a part of the graph"),
        ("killed", "out of memory"),
        ("segv", "segmentation fault"),
        ("missing_model", "benchmark_model failed: Could not open '/data/local/tmp/nope.tflite'"),
        ("logcat_apk", "the output does not say whether the GPU ran it"),
    ],
)
def test_a_run_that_is_no_measurement_has_no_number(files, replay, scenario, words):
    result, _ = measure(files, replay(scenario), engines=("gpu",))
    (row,) = result.rows
    assert words in row.problem and len(row.problem.splitlines()) == 1
    assert (row.init_ms, row.first_ms, row.median_ms, row.average_ms, row.min_ms) == (None,) * 5
    assert result.problems == (f"a model.tflite on gpu: {row.problem}",)


def test_one_failure_does_not_lose_the_others(files, replay):
    result, _ = measure(files, replay("cpu_new,gpu_silent_cpu,gpu_full_old"), engines=("xnnpack", "gpu", "gpu-fp32"))
    assert [row.problem is None for row in result.rows] == [True, False, True]
    assert result.rows[2].backend == "OpenCL" and result.rows[2].median_ms is None  # older builds print no median


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("no_device", "no device is connected"),
        ("no_device_old", "no device is connected"),
        ("offline", "the phone is offline"),
        ("unauthorized", "confirm the USB debugging dialog"),
        ("two_devices", "`device` SERIAL"),
        ("wrong_serial", "no device 'X1'"),
        ("no_server", "adb server does not start"),
        ("no_space", "a model.tflite: cannot be copied to the phone: the phone's storage is full"),
        ("unplugged", "the phone is offline"),
    ],
)
def test_adb_failures_are_one_clear_line(files, phone, scenario, words):
    with pytest.raises(AdbError) as caught:
        measure(files, phone(scenario))
    message = str(caught.value)
    assert words in message and len(message.splitlines()) == 1


@pytest.mark.parametrize("scenario", ["not_executable", "not_pushed"])
def test_a_binary_that_the_phone_cannot_run(files, replay, scenario):
    with pytest.raises(AdbError, match="the phone cannot run it .*give `binary` the build for its processor"):
        measure(files, replay(scenario))


def test_missing_programs_and_files(files, replay, tmp_path):
    with pytest.raises(AdbError, match="no such program: install Android's platform-tools"):
        measure(files, Phone(str(tmp_path / "no-adb")))
    with pytest.raises(AdbError, match="cannot be run"):
        measure(files, Phone(str(files[1])))
    with pytest.raises(ModelError, match="nowhere: no such file: see docs/speed.md"):
        measure(files, replay("cpu_new"), binary=tmp_path / "nowhere")
    with pytest.raises(ModelError, match="x.tflite: no such file"):
        measure(files, replay("cpu_new"), files=[tmp_path / "x.tflite"])
    with pytest.raises(ModelError, match="`engines` npu: give cpu, xnnpack"):
        measure(files, replay("cpu_new"), engines=("npu",))
    with pytest.raises(ModelError, match="`pause` -1"):
        measure(files, replay("cpu_new"), pause_s=-1)


def test_a_phone_that_does_not_answer(tmp_path):
    silent = tmp_path / "adb"
    silent.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    silent.chmod(0o755)
    with pytest.raises(AdbError, match="did not answer within 0.2 s"):
        Phone(str(silent)).shell("true", limit_s=0.2)


def test_operator_profile_reaches_the_text(files, replay, shared, tmp_path, phone):
    from support.fake_adb import sections

    samples = sections(shared / "android" / "benchmark_logs.txt")
    logs = tmp_path / "logs"
    logs.write_text(f"@@ {PROFILED} exit=0\n{samples['cpu_new'][1]}{samples['op_profile_stdout'][1]}")
    result, _ = measure(files, phone(PROFILED, logs=logs), profile=True)
    (row,) = result.rows
    assert [op.kind for op in row.ops] == ["CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE"] and row.median_ms == 88.512
    assert "DEPTHWISE_CONV_2D" in result.as_text() and "AllocateTensors" not in result.as_text()


def test_json_csv_and_text_say_the_same(files, replay):
    result, _ = measure(files, replay("cpu_new,gpu_silent_cpu"), engines=("xnnpack", "gpu"))
    rows = list(csv.DictReader(io.StringIO(result.as_csv())))
    assert [row["median_ms"] for row in rows] == ["88.512", ""]
    data = json.loads(json.dumps(result.as_json()))
    assert data["rows"][0]["delegation"][0]["nodes"] == 118 and data["rows"][1]["problem"] == result.rows[1].problem
    assert "88.5" in result.as_text() and "problem  a model.tflite on gpu: all of it ran on the CPU" in result.as_text()


def command(files, *arguments):
    return run("benchmark", files[1], "--adb", "--adb-program", FAKE, "--binary", files[0], "--pause", "0", *arguments)


def test_command_line(files, replay, tmp_path):
    replay("cpu_new,gpu_silent_cpu,gpu_full_old")
    process = command(files, "--gpu", "--json", tmp_path / "out.json", "--csv", tmp_path / "out.csv")
    line = one_line_error(process)
    assert "a model.tflite on gpu: all of it ran on the CPU" in line
    assert "Maker Phone 1" in process.stdout and "88.5" in process.stdout
    assert [r["engine"] for r in json.loads((tmp_path / "out.json").read_text())["rows"]] == ["xnnpack", "gpu", "gpu-fp32"]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4


def test_command_line_failure_is_one_line(files, phone):
    phone("unauthorized")
    assert "confirm the USB debugging dialog" in one_line_error(command(files))
    assert "--binary PATH" in one_line_error(run("benchmark", files[1], "--adb", "--adb-program", FAKE))


def test_the_stand_in_is_a_program():
    """Otherwise every failure above could be that of a program that does not start."""
    environment = {**os.environ, "FAKE_ADB_SCENARIO": "no_device", "FAKE_ADB_CALLS": os.devnull}
    done = subprocess.run([FAKE, "devices"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "adb: no devices/emulators found\n")
