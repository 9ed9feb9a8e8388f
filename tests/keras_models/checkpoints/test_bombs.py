"""Small files that would take all memory, all time or the process itself: refused by one line, before anything is allocated."""

import os
import struct
import subprocess
import tracemalloc
import zlib

import h5py
import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image
from support.command_line import one_line_error, run
from support.tiny_models import FakeEngine, nearest

from conversion.engines.cpu import CpuEngine
from conversion.measuring.inspection import inspect_tflite
from conversion.onnx.route import read_and_rewrite
from conversion.source import ModelSource
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.file import with_metadata
from conversion.upscaling.folder import upscale_folder
from conversion.upscaling.images import ImageReader
from conversion.upscaling.pipeline import UpscaleOptions
from keras_models.checkpoints.hdf5_copy import copy_weights
from keras_models.checkpoints.state_dict import read_state
from keras_models.data.read_rgb import opened_photo, read_rgb
from keras_models.system import sandbox as isolation
from keras_models.system.errors import ConversionError, ImageError, MobileSRError, ModelError
from keras_models.system.processes import python_module
from keras_models.system.sandbox import Limits, isolated

MEGABYTE = 1 << 20


def refusal(function, *arguments, kind=MobileSRError):
    """The one line of a refusal that took next to no memory."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught:
            function(*arguments)
        assert tracemalloc.get_traced_memory()[1] < 50 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def png_of(width, height, path):
    """A PNG whose header says so; its pixels are a few zeros."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(5000))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("size", [(20_000, 10_001), (70_000, 1), (1, 70_000)])
def test_a_photo_above_the_limit_is_refused_and_a_flag_lifts_it(tmp_path, size):
    path = png_of(*size, tmp_path / "bomb.png")
    assert "`max_megapixels`" in refusal(ImageReader, path, kind=ImageError)
    assert ImageReader(path, max_megapixels=300).kind.width == size[0]


def test_the_limit_itself_is_taken(tmp_path):
    assert ImageReader(png_of(20_000, 10_000, tmp_path / "large.png")).kind.height == 10_000


def test_the_limit_on_the_command_line(tmp_path):
    path = png_of(300, 200, tmp_path / "a.png")
    assert "300x200 pixels: 0.05 megapixels" in one_line_error(run("upscale", path, "--max-megapixels", "0.05"))
    with pytest.raises(MobileSRError, match="`max_megapixels` -1"):
        UpscaleOptions(max_megapixels=-1)


def test_a_bomb_among_photos_is_one_failure(tmp_path):
    (tmp_path / "in").mkdir()
    png_of(50_000, 50_000, tmp_path / "in/bomb.png")
    result = upscale_folder(tmp_path / "in", tmp_path / "out", FakeEngine(nearest))
    assert len(result.failed) == 1 and "megapixels" in result.failed[0][1]


def test_a_photo_to_train_with_has_a_limit_too(tmp_path):
    def read(path):
        with opened_photo(path):
            pass

    assert "50 megapixels are the most" in refusal(read, png_of(10_000, 5_001, tmp_path / "bomb.png"), kind=ImageError)


def unpacking_to(path, size):
    """The same zip, whose directory says that its last member unpacks to so much."""
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


def npz(path):
    np.savez(path, **{"a.weight": np.ones((2, 3), np.float32)})
    return path


def pth(path):
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", bytes(16))
    return path


@pytest.mark.parametrize("make", [npz, pth])
def test_zip_bombs(tmp_path, make):
    path = unpacking_to(make(tmp_path / f"bomb.{make.__name__}"), 1 << 31)
    assert "would unpack to 2,147,483," in refusal(read_state, path)


def test_a_zip_bomb_in_a_keras_file(tmp_path):
    from keras_models.checkpoints.loading import load_model
    from keras_models.lkdn import LKDN

    LKDN(2, 4, 2, 1).save(tmp_path / "a.keras")
    assert "would unpack to" in refusal(load_model, unpacking_to(tmp_path / "a.keras", 1 << 31))


def test_unusual_packing_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", b"\x93NUMPY")
    assert "another method than deflate" in refusal(read_state, tmp_path / "a.npz")


def test_an_array_that_says_it_is_larger_than_its_bytes(tmp_path):
    path = npz(tmp_path / "a.npz")
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        content = archive.read("a.weight.npy")
    assert b"(2, 3), }  " in content
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.weight.npy", content.replace(b"(2, 3), }            ", b"(9999999999, 3), }   "))
    assert "has other bytes" in refusal(read_state, path)


def test_safetensors_that_declare_more_than_they_have(tmp_path):
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert "not a readable .safetensors" in refusal(read_state, tmp_path / "a.safetensors")
    with (tmp_path / "b.safetensors").open("wb") as file:
        file.truncate((1 << 29) + 1)
    assert "536,870,912 is the most" in refusal(read_state, tmp_path / "b.safetensors")


def torch_file(path, tail):
    """A .pth of one storage of 4 floats; `tail` is the pickle's text behind the storage's persistent id."""
    import zipfile

    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    text = b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n(" + storage + tail
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", text)
        archive.writestr("archive/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


ORDERED = b"\x89ccollections\nOrderedDict\n)RtRs."


def test_a_tensor_larger_than_its_storage(tmp_path):
    """Strides of zero make terabytes of four numbers."""
    whole = torch_file(tmp_path / "whole.pth", b"K\x00K\x02K\x02\x86K\x02K\x01\x86" + ORDERED)
    np.testing.assert_array_equal(read_state(whole)["a"], [[0, 1], [2, 3]])
    bomb = torch_file(tmp_path / "bomb.pth", b"K\x00J\x00\x00\x00\x40J\x00\x00\x00\x40\x86K\x00K\x00\x86" + ORDERED)
    assert "tensor outside its storage" in refusal(read_state, bomb)


KEY = b")q\x00" + b"h\x00\x86q\x00" * 60
"""A tuple of two of a tuple of two, and so on: its hash visits 2 to the power of 60."""
PICKLES = {
    "memory by a number": b"\x80\x02}r\xff\xff\xff\x1f.",
    "a key that takes for ever to hash": b"\x80\x02}" + KEY + b"K\x01s.",
    "the same among items": b"\x80\x02}(" + KEY + b"K\x01u.",
    "the same in a dictionary at once": b"\x80\x02(" + KEY + b"K\x01d.",
    "the same in a call": b"\x80\x02ccollections\nOrderedDict\n]" + KEY + b"K\x01\x86a\x85R.",
    "a new class": b"\x80\x02}cbuiltins\nobject\n)\x81.",
    "a change of an array": torch_file,
}


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles(tmp_path, name):
    import zipfile

    path = tmp_path / "a.pth"
    if name == "a change of an array":
        torch_file(path, b"K\x00K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR}bs.")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", PICKLES[name])
    said = refusal(read_state, path)
    assert "refused" in said or "damaged" in said or "no state_dict" in said


def test_hdf5_that_is_larger_than_its_file_or_stands_elsewhere(tmp_path):
    cases = {
        "more than 1,000,000 bytes": lambda f: f.create_dataset("a", (1 << 33,), "f4", chunks=(1024,)),
        "in the file itself": lambda f: f.create_dataset("a", (4,), "u1", external=[(str(tmp_path / "secret"), 0, 4)]),
        "array of numbers": lambda f: f.create_dataset("a", data=np.array([b"text"])),
    }
    (tmp_path / "secret").write_bytes(b"1234")
    for number, (words, make) in enumerate(cases.items()):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            make(file)
        assert words in refusal(copy_weights, str(tmp_path / f"{number}.h5"), str(tmp_path / "out.h5"), 1_000_000)


def test_names_in_a_file_cannot_steer_the_terminal(tmp_path):
    """Found by fuzzing: a class whose name has a line break."""
    import json
    import zipfile

    from keras_models.checkpoints.loading import load_model

    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "a\n\x1b[31mb", "config": {}}))
    assert "a  [31mb, not one of " in refusal(load_model, tmp_path / "a.keras")


def test_a_network_of_a_size_that_no_file_should_ask_for(tmp_path):
    from keras_models.checkpoints.loading import model_from_state

    shapes = {"fea_conv.pw.weight": (5000, 12, 1, 1), "B1.c5.weight": (4, 8, 1, 1), "B1.c1_d.weight": (2, 4, 1, 1)}
    state = {name: np.broadcast_to(np.float32(0), shape) for name, shape in (shapes | {"upsampler.0.weight": (12, 4, 3, 3)}).items()}
    assert "features 5000: 256 is the most" in refusal(model_from_state, state, "x.npz")


@pytest.fixture
def huge_tflite(tiny_model, tmp_path):
    model = parse_checked(tiny_model("nearest").read_bytes(), "nearest")
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 4 and tensor.shape[1] in (16, 32):
            tensor.shape = [1, int(tensor.shape[1]) * 4000, int(tensor.shape[2]) * 4000, int(tensor.shape[3])]
            tensor.shapeSignature = None
    path = tmp_path / "huge.tflite"
    path.write_bytes(packed(model))
    return path


def test_a_tflite_of_huge_tensors(huge_tflite):
    for read in (CpuEngine, inspect_tflite):
        assert "huge.tflite: LiteRT cannot" in refusal(read, huge_tflite, kind=ModelError)


def test_options_of_another_operation(tiny_model, tmp_path):
    """Found by fuzzing: the GPU's rules read the options that an operation should have."""
    from ai_edge_litert import schema_py_generated as schema

    from conversion.gpu.ops import check_gpu

    model = parse_checked(tiny_model("nearest").read_bytes(), "nearest")
    for code in model.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MIRROR_PAD
    (tmp_path / "a.tflite").write_bytes(packed(model))
    assert any("another operation" in reason for reason in check_gpu(tmp_path / "a.tflite").reasons)


def onnx_of_huge_constants(path):
    """[1, 3, h, w] plus the largest of 2**34 numbers that stand nowhere."""
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 3, "h", "w"))
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (None,) * 4)
    sizes = helper.make_node("Constant", [], ["sizes"], value=helper.make_tensor("", onnx.TensorProto.INT64, [2], [1 << 17, 1 << 17]))
    many = helper.make_node("ConstantOfShape", ["sizes"], ["many"])
    largest = helper.make_node("ReduceMax", ["many"], ["largest"], keepdims=0)
    nodes = [sizes, many, largest, helper.make_node("Add", ["image", "largest"], ["y"])]
    graph = helper.make_graph(nodes, "bomb", [image], [result])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_an_onnx_of_huge_constants(tmp_path):
    path = onnx_of_huge_constants(tmp_path / "bomb.onnx")
    assert "bomb.onnx" in refusal(read_and_rewrite, path, tmp_path, None, None, kind=ConversionError)
    assert "bomb.onnx" in refusal(lambda p: ModelSource.of(p).predictor(), path, kind=ModelError)


HOSTILE = """
import os, time

def task(what):
    if what == "crash":
        os.abort()
    if what == "hang":
        time.sleep(1000)
    if what == "memory":
        return len(bytes(3 << 30))
    if what == "refuse":
        from keras_models.system.errors import ImageError
        raise ImageError("no picture")
    return {"read": what}
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    (tmp_path / "hostile_task.py").write_text(HOSTILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(isolation, "_helpers", {})
    yield lambda what, seconds=60.0: isolated("hostile_task:task", [what], ModelError, Limits(seconds))
    for waiting in isolation._helpers.values():
        waiting.child.close()


def test_what_happens_in_the_other_process_is_an_error_here(hostile):
    assert hostile("a") == {"read": "a"}
    for what, words in (("crash", "crashed .signal 6"), ("hang", "took over 0.3 s"), ("memory", "more memory"), ("refuse", "no picture")):
        with pytest.raises(MobileSRError, match=words):
            hostile(what, 0.3 if what == "hang" else 60.0)
        assert hostile("b") == {"read": "b"}
    with pytest.raises(ImageError):
        hostile("refuse")


def test_a_helper_that_dies_is_started_again(hostile):
    hostile("a")
    (waiting,) = isolation._helpers.values()
    waiting.child.process.kill()
    waiting.child.process.wait()
    assert hostile("b") == {"read": "b"}


def test_python_files_among_the_photos_are_not_imported(tmp_path, monkeypatch, tiny_model):
    for name in ("json", "numpy", "conversion", "select"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    path = tiny_model("nearest")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(isolation, "_helpers", {})
    CpuEngine(path)
    assert not (tmp_path / "executed").exists()
    control, _ = python_module("json")
    subprocess.run([part for part in control if part != "-P"], check=False, env={**os.environ}, stdin=subprocess.DEVNULL)
    assert (tmp_path / "executed").exists()


def test_names_and_cards_steer_no_terminal(tiny_model, tmp_path):
    data = with_metadata(tiny_model("nearest").read_bytes(), {"name": "\x1b[2J\nnext line"})
    model = parse_checked(data, "nearest")
    model.operatorCodes[0].customCode = b"\x1b]0;owned\x07\nOp"
    (tmp_path / "names.tflite").write_bytes(packed(model))
    lines = inspect_tflite(tmp_path / "names.tflite").as_text().split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum("CUSTOM: ]0;owned  Op" in line for line in lines) >= 1 and "card       name:  [2J next line" in lines


def test_a_tflite_without_operations(tiny_model, tmp_path):
    """Found by fuzzing."""
    from conversion.gpu.ops import check_gpu
    from conversion.tflite.file import read_tflite

    model = parse_checked(tiny_model("nearest").read_bytes(), "nearest")
    model.subgraphs[0].operators = None
    (tmp_path / "empty.tflite").write_bytes(packed(model))
    assert read_tflite(tmp_path / "empty.tflite").operations == ()
    model.subgraphs[0].tensors = None
    (tmp_path / "empty.tflite").write_bytes(packed(model))
    assert "damaged" in refusal(check_gpu, tmp_path / "empty.tflite", kind=ModelError)


def test_a_png_of_more_pixels_than_its_bytes_can_hold(tmp_path):
    """A kilobyte that names 47 million pixels takes seconds and 200 MB before it is found to end early."""
    flat, hollow = tmp_path / "flat.png", tmp_path / "hollow.png"
    Image.new("L", (3000, 3000)).save(flat, compress_level=9)
    data = bytearray(flat.read_bytes())
    struct.pack_into(">II", data, 16, 3000, 15000)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    hollow.write_bytes(data)
    assert read_rgb(flat).shape == (3000, 3000, 3)  # as dense as deflate can be
    with pytest.raises(ImageError, match=r"hollow.png: .*3000x15000 pixels are more than its [\d,]+ bytes can hold"):
        read_rgb(hollow)
