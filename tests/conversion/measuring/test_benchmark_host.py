"""The host's benchmark: real runs of tiny files in processes of their own, and what it refuses."""

import csv
import json

import numpy as np
import pytest
from support.command_line import one_line_error, run
from support.photos import noise_photo as photo

from conversion.commands.flags import with_flags
from conversion.engines.values import Said
from conversion.measuring.benchmark.host import HostJob, HostRun, benchmark_on_host
from conversion.measuring.benchmark.result_table import as_table
from conversion.measuring.benchmark.worker import measure, statistics
from keras_models.system.errors import ModelError


def test_statistics():
    found = statistics([0.002, 0.001, 0.004, 0.003], pixels=100)
    assert found == {"median_ms": 2.5, "p90_ms": pytest.approx(3.7), "min_ms": 1.0, "runs": 4, "us_per_pixel": pytest.approx(10)}


def test_every_setting_is_a_row(tiny_model, tmp_path):
    done = []
    job = HostJob([tiny_model("random")], threads=(1, 2), tiles=(None, (8, 24)), runs=3, photo=photo(tmp_path))
    result = benchmark_on_host(job, lambda *at: done.append(at))
    assert [(r.tile, r.threads, r.runs) for r in result.rows] == [("16x16", 1, 3), ("16x16", 2, 3), ("8x24", 1, 3), ("8x24", 2, 3)]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)] and not result.problems
    for row in result.rows:
        assert 0 < row.min_ms <= row.median_ms <= row.p90_ms and row.first_ms > 0 and row.init_ms > 0
        assert row.peak_mb > 20 and row.photo_mp_s > 0 and row.engine == "cpu"


def test_integers_and_fixed_sizes_run(tiny_model):
    for name in ("int8", "fixed"):
        assert measure(str(tiny_model(name)), 1, None, 2, None)["tile"] == "16x16"


def test_a_size_that_does_not_run_loses_only_its_row(tiny_model):
    result = benchmark_on_host(HostJob([tiny_model("fixed")], tiles=((24, 24), None), runs=1))
    failed, fine = result.rows
    assert failed.problem.startswith("tile 24x24: ") and len(failed.problem.splitlines()) == 1 and failed.min_ms is None
    assert fine.problem is None and len(result.problems) == 1


def test_a_photo_that_is_none_is_refused_before_any_run(tiny_model, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(Exception, match="text.png"):
        benchmark_on_host(HostJob([tiny_model("random")], photo=text))


@pytest.mark.parametrize("change", [{"threads": (0,)}, {"runs": 0}])
def test_out_of_range(change):
    with pytest.raises(ModelError, match="give 1 or more"):
        HostJob([], **change)


def test_software_gpus_are_not_timed(monkeypatch, tiny_model):
    from conversion.gpu.engine import GpuRefusal, GpuRun
    from conversion.measuring.benchmark import gpu as benchmark_gpu

    def fake(software):
        return lambda jobs, device: [GpuRun(np.zeros(1), "Adapter", software, 0.5, (0.3, 0.02, 0.01))]

    monkeypatch.setattr(benchmark_gpu, "system_device", lambda: None)
    with pytest.raises(ModelError, match="no Vulkan driver"):
        list(benchmark_gpu.benchmark_gpu(tiny_model("random"), 2))
    monkeypatch.setattr(benchmark_gpu, "system_device", lambda: "device")
    monkeypatch.setattr(benchmark_gpu, "run_jobs", fake(software=True))
    with pytest.raises(ModelError, match="software device, whose times mean nothing"):
        list(benchmark_gpu.benchmark_gpu(tiny_model("random"), 2))
    monkeypatch.setattr(benchmark_gpu, "run_jobs", fake(software=False))
    half, single = benchmark_gpu.benchmark_gpu(tiny_model("random"), 2)
    assert (half.engine, single.engine) == ("Adapter, float16 allowed", "Adapter, float32")
    assert (half.init_ms, half.first_ms, half.min_ms, half.runs, half.threads) == (500, 300, 10, 2, None)
    monkeypatch.setattr(benchmark_gpu, "run_jobs", lambda jobs, device: [GpuRefusal("refused")])
    assert [row.problem for row in benchmark_gpu.benchmark_gpu(tiny_model("random"), 2)] == ["refused", "refused"]


def test_table_leaves_out_what_no_row_has():
    rows = [HostRun("a", "cpu", 1, "8x8", min_ms=1.234), HostRun("b", "cpu", None, "8x8")]
    text = as_table("title", rows, {"file": ("file", ""), "threads": ("threads", "d"), "min_ms": ("min", ".2f"), "peak_mb": ("peak", "d")})
    assert "1.23" in text and "peak" not in text and text.splitlines()[-1].split() == ["b", "-", "-"]


def test_command_line(tiny_model, tmp_path):
    process = run("benchmark", tiny_model("random"), "--runs", 2, "--threads", "1,2", "--json", "-", "--csv", tmp_path / "out.csv")
    assert process.returncode == 0, process.stderr
    rows = json.loads(process.stdout)["rows"]
    assert [row["threads"] for row in rows] == [1, 2]
    assert [float(row["min_ms"]) for row in csv.DictReader((tmp_path / "out.csv").open())] == [row["min_ms"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "two"], "give whole numbers such as 1,2"),
        (["--threads", "0"], "--threads 0: give 1 or more"),
        (["--binary", "x"], "--binary: only --adb takes it"),
        (["--adb", "--tiles", "64x64"], "--tiles: --adb measures on the phone"),
        (["--adb"], "benchmark_model"),
    ],
)
def test_options_that_do_not_fit(tiny_model, arguments, words):
    from typer.testing import CliRunner

    from conversion.commands.main import app

    result = CliRunner().invoke(app, ["benchmark", str(tiny_model("fixed")), *arguments])
    assert isinstance(result.exception, ModelError) and words in str(result.exception)


def test_missing_file_is_one_line(tmp_path):
    assert "nowhere.tflite" in one_line_error(run("benchmark", tmp_path / "nowhere.tflite"))


def test_what_a_photo_needs_to_know_of_a_file_can_be_said(tmp_path):
    """Red comes back as blue: a photo is refused until somebody says what the file takes; times do not ask."""
    from support.foreign_onnx import Net, written

    swapped = Net()
    y = swapped.op("Gather", swapped.upsample("x", mode="nearest"), swapped.value([2, 1, 0], np.int64), axis=1)
    path = written(lambda: swapped.finish(y), tmp_path / "swapped.onnx")
    job = {"tiles": ((24, 24),), "runs": 1, "photo": photo(tmp_path)}
    assert "say --order" in with_flags(benchmark_on_host(HostJob([path], **job)).rows[0].problem)
    assert benchmark_on_host(HostJob([path], **job, said=Said(order="rgb"))).rows[0].photo_mp_s > 0
    assert "leave it out" in one_line_error(run("benchmark", path, "--tiles", "24x24", "--order", "rgb"))
