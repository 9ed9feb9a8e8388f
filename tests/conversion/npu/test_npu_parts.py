"""Compiling for NPUs without Qualcomm's libraries: what is refused, what is read out of files and words, how results are judged."""

import json

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from PIL import Image
from support.command_line import one_line_error, run_here
from support.gpu_op_models import Net
from support.networks import randomise

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.graph.gelu_parts import gelu_in_parts
from conversion.graph.ir import Graph, Node
from conversion.measuring.inspection import inspect_tflite
from conversion.npu import package
from conversion.npu.card import soc_of
from conversion.npu.compiling import compile_file
from conversion.npu.context import read_context
from conversion.npu.plugin import _taken
from conversion.npu.socs import SOCS, socs_named
from conversion.npu.tiles import Tile, made_up_tiles, photo_tiles
from conversion.npu.verdict import INTEGER_PSNR, MOST_MOVED, NpuCheck, NpuVerdict, compare
from conversion.tflite.file import read_tflite, with_metadata
from keras_models.lkdn import LKDN
from keras_models.system.errors import ConversionError, ImageError, ModelError


def compiled_file(path, context=b"a context", card=None, size=None):
    """A file as LiteRT's compiler writes it: one DISPATCH_OP, the context behind the flatbuffer, found by its place."""

    def build(start):
        model, graph, code, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
        model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], [code]
        code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, schema.BuiltinOperator.CUSTOM
        code.customCode, code.version = b"DISPATCH_OP", 1
        graph.tensors = []
        for name, shape in (("image", [1, 8, 8, 3]), ("upscaled", [1, 16, 16, 3])):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.type, tensor.hasRank = name, shape, schema.TensorType.INT8, True
            graph.tensors.append(tensor)
        options = {"bytecode_offset": start, "bytecode_size": size or len(context), "name": "net"}
        operator.inputs, operator.outputs, operator.customOptions = [0], [1], list(flexbuffers.Dumps(options))
        graph.operators, graph.inputs, graph.outputs = [operator], [0], [1]
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        data = bytes(builder.Output())
        return data if card is None else with_metadata(data, card)

    start = len(build(1 << 20))
    path.write_bytes(build(start).ljust(start, b"\0") + context)
    return path


@pytest.fixture
def without_extra(monkeypatch):
    def absent(name):
        raise package.PackageNotFoundError(name)

    monkeypatch.setattr(package, "version", absent)


def test_without_the_extra_every_command_says_what_to_install(without_extra, tiny_model, tmp_path, capfd, monkeypatch):
    file = tmp_path / "a.tflite"
    file.write_bytes(tiny_model("int8").read_bytes())
    for arguments in (("compile", file, "--soc", "sm8650", "-o", tmp_path / "out"), ("verify", file, "--npu")):
        error = one_line_error(run_here(capfd, monkeypatch, *arguments))
        assert "pip install .[npu]" in error and "licence" in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.tflite"]
    inspected = run_here(capfd, monkeypatch, "inspect", file)
    (line,) = [line for line in inspected.stdout.splitlines() if line.startswith("NPU")]
    assert inspected.returncode == 0 and "not known by Qualcomm's compiler" in line and "pip install .[npu]" in line


def test_another_version_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(package, "version", lambda name: "2.7.0")
    with pytest.raises(ModelError, match=r"onnxruntime-qnn 2\.7\.0 is installed, and LiteRT's compiler goes with 2\.6\.0"):
        package.npu_package()


def test_another_machine_is_refused(monkeypatch):
    monkeypatch.setattr(package.platform, "machine", lambda: "aarch64")
    with pytest.raises(ModelError, match="x86-64"):
        package.npu_package()


def test_socs_by_name():
    assert [soc.name for soc in socs_named(" sm8750,SM8350,sm8750")] == ["SM8750", "SM8350"]
    assert len({soc.number for soc in SOCS.values()}) == len({soc.sold_as for soc in SOCS.values()}) == len(SOCS)
    for text in ("sm9999", "sm8650,pixel", "", " , "):
        with pytest.raises(ConversionError, match="no such SoC here"):
            socs_named(text)


def test_soc_list_and_what_is_missing_are_one_line(tmp_path, capfd, monkeypatch):
    listed = run_here(capfd, monkeypatch, "compile", "--soc", "list")
    assert listed.returncode == 0
    rows = {line.split()[0]: line.split()[-2:] for line in listed.stdout.splitlines()}
    assert rows["SM8350"] == ["V68", "no"] and rows["SM8650"] == ["V75", "yes"] and rows["SM8635"] == ["V73", "no"]
    as_json = json.loads(run_here(capfd, monkeypatch, "compile", "--soc", "list", "--json", "-").stdout)
    assert {soc["name"] for soc in as_json["socs"]} == set(SOCS)
    for arguments, words in (
        (("compile", "--soc", "sm8650"), "give a .tflite"),
        (("compile", tmp_path / "no.tflite", "--soc", "sm8650"), "no such model file"),
        (("compile", tmp_path / "no.onnx", "--soc", "sm8650"), "no such file"),
        (("compile", tmp_path / "no.tflite", "--soc", "sm1"), "mobile-sr compile --soc list"),
        (("verify", tmp_path / "no.tflite", "--soc", "sm8650"), "add --npu"),
        (("verify", tmp_path / "no.onnx", "--npu"), "no such file"),
    ):
        assert words in one_line_error(run_here(capfd, monkeypatch, *arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_free_size_is_refused(tiny_model, tmp_path):
    with pytest.raises(ConversionError, match="free size.*convert it again with `tile`"):
        compile_file(tiny_model("free_size"), socs_named("sm8650"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_the_compiler_says_is_counted_and_named(tiny_model):
    """Its words for a file of which it leaves the second operation, twice said, and runs the rest in two pieces."""
    file = read_tflite(tiny_model("int8"))
    said = """INFO: [compiler_plugin.cc:742] Partitioned subgraph<0>, selected 3 ops, from a total of 4 ops. resulted in 2 partitions.
LiteRT Op #1 'Whatever' (code=4) is not supported in Qualcomm Compiler.
LiteRT Op #1 'Whatever' (code=4) is not supported in Qualcomm Compiler.
"""
    taken = _taken(said, file)
    assert (taken.taken, taken.total, taken.partitions, taken.whole) == (3, 4, 2, False)
    assert taken.left == (f"1 {file.operations[1].name} of int8",)
    assert _taken(said.replace("selected 3", "selected 4").replace("in 2", "in 1"), file).whole
    assert not _taken("", file).whole and not _taken(said.replace("selected 3", "selected 4"), file).whole


def test_a_compiled_file_is_told_from_a_plain_one(tmp_path, tiny_model):
    path = compiled_file(tmp_path / "c.tflite", b"\x01context\x02")
    context = read_context(path)
    assert (context.binary, context.name) == (b"\x01context\x02", "net")
    assert [(name, shape) for name, shape, _ in (*context.inputs, *context.outputs)] == [
        ("image", (1, 8, 8, 3)),
        ("upscaled", (1, 16, 16, 3)),
    ]
    with pytest.raises(ModelError, match="not compiled for an NPU"):
        read_context(tiny_model("int8"))
    with pytest.raises(ModelError, match="its context ends at byte"):
        read_context(compiled_file(tmp_path / "long.tflite", size=1000))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged or cut off"):
        read_context(path)


def test_no_cpu_runs_a_compiled_file_and_its_user_is_told(tmp_path, capfd, monkeypatch):
    path = compiled_file(tmp_path / "c.tflite", card={"npu": {"soc": "SM8650"}})
    with pytest.raises(ModelError, match="give the plain file"):
        CpuEngine(path)
    inspected = inspect_tflite(path, npu=True)
    assert inspected.cpu_partitions == 0 and inspected.npu is None and "none: compiled for an NPU" in inspected.as_text()
    for arguments in (("compile", path, "--soc", "sm8650"), ("verify", path), ("verify", path, "--npu")):
        one_line_error(run_here(capfd, monkeypatch, *arguments))


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({}, "names no SoC"),
        ({"soc": ["SM8650"]}, "names no SoC"),
        ({"soc": "SM8650", "qairt": "2.51.0"}, "compiled by QAIRT 2.51.0"),
        ({"soc": "SM8650", "qairt": package.QAIRT, "source_sha256": "0" * 64}, "not made of"),
    ],
)
def test_a_compiled_file_says_what_it_was_made_of(card, words, tmp_path, tiny_model):
    with pytest.raises(ModelError, match=words):
        soc_of(compiled_file(tmp_path / "c.tflite", card={"npu": card}), tiny_model("int8"))


def photo(folder, name, pixels):
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def test_tiles_of_photos_are_the_most_detailed_and_belong_to_their_originals(tmp_path):
    rng = np.random.default_rng(0)
    flat = np.full((96, 96, 3), 90, np.uint8)
    for number in range(5):
        pixels = flat.copy()
        pixels[48:, 32:64] += rng.integers(0, 20 * (number + 1), (48, 32, 3)).astype(np.uint8)
        photo(tmp_path / "HR", f"{number}.png", pixels)
        photo(tmp_path / "LRx2", f"{number}.png", pixels[::2, ::2])
    tiles = photo_tiles(tmp_path, (16, 16), 2)
    assert [tile.name for tile in tiles] == [f"{number} at 16,32" for number in (4, 3, 2, 1)]
    for tile in tiles:
        assert np.array_equal(tile.low, tile.high[::2, ::2])
    every = photo_tiles(tmp_path, (16, 20), 2, every=True)
    assert len(every) == 5 * 3 * 3 and {tile.low.shape for tile in every} == {(16, 20, 3)}
    with pytest.raises(ImageError, match="no photo of 200x200 pixels"):
        photo_tiles(tmp_path, (100, 100), 2)
    assert [tile.low.shape for tile in made_up_tiles((12, 20))] == [(12, 20, 3)] * 2


def check_of(npu, cpu=lambda image: image, high=None):
    rng = np.random.default_rng(3)
    image = rng.random((8, 8, 3), np.float32) * 0.8 + 0.1
    tile = Tile("t", image, None if high is None else high(image))
    return NpuCheck("SM8650", 75, 3, 1000, INTEGER_PSNR, compare([tile], cpu, npu))


def test_a_verdict_is_passed_by_what_agrees_and_by_nothing_else():
    equal = check_of(lambda image: image)
    assert equal.problems() == [] and equal.worst is None and equal.moved is None
    near = check_of(lambda image: image + 0.01)
    assert near.problems() == [] and abs(near.worst - 40) < 1e-3 and abs(near.tiles[0].levels - 2.55) < 1e-3
    (far,) = check_of(lambda image: image + 0.02).problems()
    assert "34.0 dB to the CPU, 38 are needed" in far
    (nan,) = check_of(lambda image: image * np.nan).problems()
    assert "not finite" in nan


def test_a_loss_to_the_originals_is_a_problem_of_its_own():
    """The same distance to the CPU, towards the original and away from it; both are more than the limit."""
    for step, wanted in ((0.01, "+"), (-0.01, "-")):
        check = check_of(lambda image, step=step: image + step, high=lambda image: image + 0.05)
        (problem,) = check.problems()
        assert abs(check.moved) > MOST_MOVED and f"originals {wanted}" in problem
    assert check_of(lambda image: image + 1e-4, high=lambda image: image + 0.05).problems() == []


def test_a_verdict_prints_both_ways_and_has_no_times():
    verdict = NpuVerdict("a.tflite", (check_of(lambda image: image + 0.01), check_of(lambda image: image * np.nan)))
    text = verdict.as_text()
    assert text.startswith("Qualcomm's") and "licence" in text.splitlines()[0] and "NOT FINITE" in text
    assert not {"ms", "cycles", "seconds", "s"} & set(text.replace(",", " ").split())
    json.dumps(verdict.as_json(), allow_nan=False)


def test_gelu_in_parts_is_gelu():
    """To 5e-4, far out too, where nothing leaves half precision; what is not one stays as it was."""
    shape = (1, 8, 8, 4)
    x = (np.random.default_rng(0).standard_normal(shape) * 4).astype(np.float32)
    nodes = [Node("image", "input", shape=shape), Node("g", "gelu", {"approximate": False}, {}, ["image"], shape)]
    graph = Graph([*nodes, Node("r", "relu", {}, {}, ["g"], shape)])
    parts = gelu_in_parts(graph)
    assert "gelu" not in {node.op for node in parts.nodes.values()} and next(reversed(parts.nodes)) == "r"
    assert [node.op for node in graph.nodes.values()] == ["input", "gelu", "relu"]
    whole, split = (np.asarray(one.run(x)["g"]) for one in (graph, parts))
    assert 1e-5 < np.abs(whole - split).max() < 5e-4
    far = np.array([-300, -60, -8.5, 8.5, 60, 300, 0, 1e-3], np.float32).reshape(1, 1, 2, 4)
    values = parts.run(far)
    assert np.allclose(values["g"], np.where(far > 1, far, far * 0.5004 * (np.abs(far) < 1)), rtol=1e-6, atol=1e-7)
    assert max(float(np.abs(np.asarray(value)).max()) for value in values.values()) < 65504 / 20


def test_only_half_precision_files_take_gelu_in_parts(tmp_path):
    network = randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=1))
    with pytest.raises(ConversionError, match="npu_gelu True: recipe float32 does not know it"):
        convert(network, tmp_path / "x.tflite", "float32", (16, 16), npu_gelu=True)
    assert convert(network, tmp_path / "x.tflite", "float16", (16, 16), npu_gelu=True).npu_gelu
    names = {operation.name for operation in read_tflite(tmp_path / "x.tflite").operations}
    assert "LOGISTIC" in names and "GELU" not in names


def test_dispatch_of_a_net_with_other_operations_is_not_wholly_compiled(tmp_path):
    net = Net()
    net.write(tmp_path / "relu.tflite", net.op("RELU", net.x))
    assert not read_tflite(tmp_path / "relu.tflite").compiled
