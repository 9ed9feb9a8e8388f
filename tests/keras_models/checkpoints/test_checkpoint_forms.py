"""Checkpoints as people have them: old PyTorch, short floats, saved by trainers; each reads as the plain state does, or says why not."""

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from support import hostile_files as files
from support.networks import randomise

from keras_models.checkpoints.loading import load_model, model_from_state
from keras_models.checkpoints.network_weights import state_of
from keras_models.checkpoints.state_dict import read_state
from keras_models.checkpoints.torch_zip import read_torch
from keras_models.compact import SRVGGNetCompact
from keras_models.lkdn import LKDN
from keras_models.system.errors import CheckpointError

sys.path.append(str(Path(__file__).parents[3] / "scripts"))
from fuzz_seeds import write_torch  # noqa: E402


@pytest.fixture(scope="module")
def state():
    return state_of(randomise(LKDN(2, 6, 4, 1)))


def same(path, state):
    read = state_of(load_model(path))
    return read.keys() == state.keys() and all(np.array_equal(read[name], state[name]) for name in state)


def refusal(path, function=read_state):
    with pytest.raises(CheckpointError) as caught:
        function(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_legacy(state, tmp_path):
    path = tmp_path / "old.pth"
    path.write_bytes(files.pth_legacy(state))
    assert same(path, state)
    assert all(np.array_equal(read_torch(path)[name], state[name]) for name in state)


@pytest.mark.parametrize("keep", [0.1, 0.6, 0.9, 0.999])
def test_legacy_cut_off(keep, state, tmp_path):
    data = files.pth_legacy(state)
    (tmp_path / "old.pth").write_bytes(data[: int(len(data) * keep)])
    said = refusal(tmp_path / "old.pth")
    assert "cut off" in said or "damaged" in said


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"count": 1 << 39}, "has not the"),
        ({"count": 5}, "has not the|outside"),
        ({"order": False}, "byte order"),
        ({"magic": 7}, "not a PyTorch"),
    ],
)
def test_legacy_that_lies(lie, words, state, tmp_path):
    import re

    (tmp_path / "old.pth").write_bytes(files.pth_legacy(state, **lie))
    assert re.search(words, refusal(tmp_path / "old.pth"))


def test_legacy_runs_nothing(tmp_path):
    data = files.pth_legacy({"a": np.zeros(2, np.float32)}).replace(b"ccollections\nOrderedDict\n", b"cos\nsystem\n", 1)
    (tmp_path / "old.pth").write_bytes(data)
    assert "os.system" in refusal(tmp_path / "old.pth") and "nothing was run" in refusal(tmp_path / "old.pth")


FORMATS = {
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F16": np.float16,
    "F64": np.float64,
}


def safetensors(state, word, dtype):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in state.items():
        row = array.astype(dtype).tobytes()
        header[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(row)]}
        data += row
    return files.safetensors_of(header, data)


@pytest.mark.parametrize("word", FORMATS)
def test_short_floats_are_exact(word, state, tmp_path):
    path, dtype = tmp_path / "a.safetensors", FORMATS[word]
    path.write_bytes(safetensors(state, word, dtype))
    read = read_state(path)
    assert all(np.array_equal(read[name], state[name].astype(dtype).astype(read[name].dtype)) for name in state)
    assert same(path, {name: array.astype(dtype).astype(np.float32) for name, array in state.items()})


@pytest.mark.parametrize(
    ("kind", "dtype", "rebuild", "more"),
    [
        (b"ctorch\nBFloat16Storage\n", ml_dtypes.bfloat16, b"_rebuild_tensor_v2", b""),
        (b"ctorch.storage\nUntypedStorage\n", ml_dtypes.float8_e4m3fn, b"_rebuild_tensor_v3", b"ctorch\nfloat8_e4m3fn\n"),
        (b"ctorch.storage\nUntypedStorage\n", ml_dtypes.float8_e5m2, b"_rebuild_tensor_v3", b"ctorch\nfloat8_e5m2\n"),
    ],
)
def test_short_floats_of_pytorch(kind, dtype, rebuild, more, tmp_path):
    import zipfile

    values = np.array([[0.5, -2], [1.5, 0.25]], dtype)
    count = values.nbytes if more else values.size
    pid = b"(" + files.text("storage") + kind + files.text("0") + files.text("cpu") + files.number(count) + b"tQ"
    shape = b"K\x00K\x02K\x02\x86K\x02K\x01\x86" + files.ORDERED
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", files.saved(b"ctorch._utils\n" + rebuild + b"\n(" + pid + shape + more + b"tR"))
        archive.writestr("a/data/0", values.tobytes())
    read = read_state(tmp_path / "a.pth")["a.weight"]
    assert read.dtype == np.float32 and np.array_equal(read, [[0.5, -2], [1.5, 0.25]])


def prefixed(state, prefix):
    return {f"{prefix}{name}": array for name, array in state.items()}


def zeros(state):
    return {name: np.zeros_like(array) for name, array in state.items()}


MOMENT, COUNTER = np.ones(3, np.float32), np.ones((), np.int64)
OTHER = {"conv.weight": np.ones((4, 3, 3, 3), np.float32), "conv.bias": np.ones(4, np.float32)}
WRAPPERS = {
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "compiled in parallel": lambda s: prefixed(s, "module._orig_mod."),
    "parallel and compiled": lambda s: {"state_dict": prefixed(s, "_orig_mod.module.")},
    "compiled inside": lambda s: {name.replace("B1.", "B1._orig_mod."): array for name, array in s.items()},
    "sharded": lambda s: prefixed(s, "_fsdp_wrapped_module."),
    "model_state_dict": lambda s: {"model_state_dict": s, "epoch": 7, "optimizer_state_dict": {"state": {0: {"exp_avg": MOMENT}}}},
    "a trainer's": lambda s: {"model": prefixed(s, "net_g."), "epoch": 7, "lr": 1e-3, "best": None},
    "deep": lambda s: {"checkpoint": {"network": {"params": prefixed(s, "generator.")}}},
    "net_g and net_d": lambda s: {"net_g": s, "net_d": OTHER},
    "prefixes of two": lambda s: {"state_dict": prefixed(s, "net_g.") | prefixed(OTHER, "net_d.") | prefixed(OTHER, "cri_perceptual.vgg.")},
    "averaged by PyTorch": lambda s: {"n_averaged": np.zeros((), np.float32)} | prefixed(s, "module."),
    "averaged beside": lambda s: {"state_dict": zeros(s), "state_dict_ema": s},
    "averaged inside": lambda s: {"state_dict": prefixed(zeros(s), "net_g.") | prefixed(s, "net_g_ema.")},
    "params and params_ema": lambda s: {"params": zeros(s), "params_ema": s},
    "Lightning's, with a score": lambda s: {
        "state_dict": prefixed(s, "model."),
        "callbacks": {"ModelCheckpoint": {"best_model_score": np.float32(31).reshape(())}},
        "optimizer_states": [{"state": {0: {"step": np.float32(1).reshape(()), "exp_avg": MOMENT}}}],
    },
    "averaged, with counters beside": lambda s: (
        {"initted": COUNTER, "step": COUNTER} | prefixed(s, "ema_model.") | prefixed(zeros(s), "online_model.")
    ),
    "a counter among the weights": lambda s: s | {"num_batches_tracked": COUNTER},
    "a list": lambda s: [s, {"lr": 1e-3}],
    "a tuple": lambda s: (s, {"optimizer": {"exp_avg": MOMENT}}),
    "an unknown word": lambda s: {"my_upscaler": s, "note": "made at night"},
}
"""What trainers save -> of a state."""


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers(wrapper, state, tmp_path):
    write_torch(WRAPPERS[wrapper](state), tmp_path / "a.pth")
    assert same(tmp_path / "a.pth", state)


def test_a_network_whose_names_share_their_beginning(tmp_path):
    """All of SRVGGNetCompact's begin with body: no prefix to be taken away."""
    compact = state_of(randomise(SRVGGNetCompact(2, 4, 1)))
    assert {name.partition(".")[0] for name in compact} == {"body"}
    write_torch({"params": prefixed(compact, "module.")}, tmp_path / "a.pth")
    assert same(tmp_path / "a.pth", compact)


def test_what_is_unclear_is_refused(state, tmp_path):
    write_torch({"first": state, "second": zeros(state)}, tmp_path / "two.pth")
    assert "several sets of weights (first, second)" in refusal(tmp_path / "two.pth")
    write_torch(prefixed(state, "") | prefixed(zeros(state), "_orig_mod."), tmp_path / "twice.pth")
    assert "twice, with and without _orig_mod" in refusal(tmp_path / "twice.pth")
    write_torch(state | prefixed(zeros(state), "module."), tmp_path / "both.pth")
    assert "left over module." in refusal(tmp_path / "both.pth", load_model)
    write_torch(prefixed(state, "sr.") | prefixed(OTHER, "denoise."), tmp_path / "part.pth")
    assert "belong to no network" in refusal(tmp_path / "part.pth", load_model)


def test_a_dictionary_that_holds_itself(tmp_path):
    (tmp_path / "a.pth").write_bytes(files.torch_zip(b"\x80\x02}q\x00" + files.text("state_dict") + b"h\x00s."))
    assert "holds no state_dict" in refusal(tmp_path / "a.pth")


def test_a_trainers_notes_do_not_matter(tmp_path):
    """A NumPy number and array, a Counter, a defaultdict, options and a set, as schedulers and loggers leave them."""
    scalar = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(" + files.text("f8") + b"K\x00K\x01tR(K\x03" + files.text("<")
    scalar += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    scalar += b"c_codecs\nencode\n(" + files.text("abcdefgh") + files.text("latin1") + b"tRtR"
    counter = b"ccollections\nCounter\n}K\x0aK\x01s\x85R"
    default = b"ccollections\ndefaultdict\n(c__builtin__\ndict\ntR"
    options = b"cargparse\nNamespace\n)\x81}" + files.text("lr") + b"K\x01sb"
    curve = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85"
        + files.text("b")
        + b"tR(K\x01K\x02\x85N\x89"
        + files.text("x")
        + b"tb"
    )
    notes = {"psnr": scalar, "milestones": counter, "log": default, "args": options, "curve": curve, "seen": b"c__builtin__\nset\n]\x85R"}
    body = b"".join(files.text(name) + value for name, value in notes.items())
    body += files.text("params") + b"}" + files.text("a.weight") + files.tensor((2, 2), (2, 1)) + b"s"
    (tmp_path / "a.pth").write_bytes(files.torch_zip(b"\x80\x02}(" + body + b"u."))
    assert np.array_equal(read_state(tmp_path / "a.pth")["a.weight"], [[0, 1], [2, 3]])


@pytest.mark.parametrize(
    "made", [b"cos\nsystem\n)\x81", b"ctorch\nFloatStorage\n)\x81", b"ccollections\nOrderedDict\n)\x81", b"K\x01)\x81"]
)
def test_objects_are_made_of_nothing_else(made, tmp_path):
    (tmp_path / "a.pth").write_bytes(files.torch_zip(files.saved(made)))
    assert "os.system" in refusal(tmp_path / "a.pth") or "no class" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("ending", [".pt", ".ckpt", ".bin"])
def test_other_endings_of_the_same(ending, state, tmp_path):
    write_torch(state, tmp_path / f"a{ending}")
    assert same(tmp_path / f"a{ending}", state)


def test_messages_are_true(state, tmp_path):
    whole = {name: array.astype(np.int64) for name, array in state.items()}
    with pytest.raises(CheckpointError, match="B1.c1_d.bias holds int64, not floats"):
        model_from_state(whole, "x")
    with pytest.raises(CheckpointError, match="c1.bias holds values that are not finite"):
        model_from_state(state | {"c1.bias": np.full(6, np.inf, np.float32)}, "x")


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8, "stands twice"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, 4, "has 4 bytes, not those of F32"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, 8, "belong to no tensor"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, 8, "one behind the other"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}, 4, "more than its bytes"),
        ({"a": {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]}}, 4, "'F4' is not one that is read"),
        ({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, 4, "no shape"),
        ({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, 4, "not one that is read"),
        ({"a": 5}, 0, "names no tensors"),
        ([], 0, "names no tensors"),
    ],
)
def test_safetensors_that_do_not_fit(header, data, words, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(files.safetensors_of(header, bytes(data)))
    assert words in refusal(tmp_path / "a.safetensors")


def test_safetensors_reads_what_the_library_reads(state, tmp_path):
    from safetensors.numpy import load_file, save_file

    save_file(state, tmp_path / "a.safetensors", metadata={"format": "pt"})
    theirs, ours = load_file(tmp_path / "a.safetensors"), read_state(tmp_path / "a.safetensors")
    assert theirs.keys() == ours.keys() and all(np.array_equal(theirs[n], ours[n]) and theirs[n].dtype == ours[n].dtype for n in theirs)


def test_numbers_of_another_machine(state, tmp_path):
    import zipfile

    write_torch(state, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth", "a") as archive:
        archive.writestr("archive/byteorder", "big")
    assert "big-endian" in refusal(tmp_path / "a.pth")
