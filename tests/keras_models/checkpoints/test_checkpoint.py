"""Foreign weights: read without PyTorch and without running anything; strict; written back bit for bit."""

import pickle
import zipfile

import numpy as np
import pytest
from support.networks import randomise

from keras_models.checkpoints.loading import load_model, model_from_state
from keras_models.checkpoints.state_dict import load_state, read_state, state_of
from keras_models.checkpoints.torch_zip import read_torch
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.system.errors import CheckpointError

TINY = {"scale": 3, "features": 6, "attention_channels": 4, "blocks": 2}


@pytest.fixture(scope="module")
def tiny_state():
    return state_of(randomise(LKDN(**TINY, step="BSConvU_rep", upsampler="rep")))


@pytest.mark.parametrize("name", ["LKDN_x3", "LKDN-S_x4", "LKDN-S_del_rep_x4", "random_LKDN-S_x4"])
def test_round_trip_is_bit_identical(name, released, reference):
    path = next(reference.glob(f"{name}.*[ht]*"))
    original, ours = read_state(path), state_of(released(name))
    assert original.keys() == ours.keys()
    assert all(np.array_equal(original[k], ours[k]) and original[k].dtype == ours[k].dtype for k in original)


def test_averaged_weights_are_preferred(reference):
    stored = read_torch(reference / "LKDN_x4.pth")
    assert set(stored) == {"params", "params_ema"}
    ours = read_state(reference / "LKDN_x4.pth")
    assert all(np.array_equal(ours[k], stored["params_ema"][k]) for k in ours)
    assert any(not np.array_equal(ours[k], stored["params"][k]) for k in ours)


def test_configuration_is_inferred(tiny_state):
    model = model_from_state(tiny_state, "tiny")
    config = model.get_config()
    assert {key: config[key] for key in TINY} == TINY
    assert (config["step"], config["upsampler"]) == ("BSConvU_rep", "rep")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_other_formats_and_prefixes(suffix, tiny_state, tmp_path):
    wrapped = {f"module.{k}": v for k, v in tiny_state.items()}
    path = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **wrapped)
    else:
        from safetensors.numpy import save_file

        save_file(wrapped, path)
    again = state_of(load_model(path))
    assert all(np.array_equal(again[k], tiny_state[k]) for k in tiny_state)


def test_misfits_are_all_listed(tiny_state):
    state = dict(tiny_state)
    del state["c1.bias"]
    state["extra.weight"] = np.zeros(3, np.float32)
    state["B2.c6.bias"] = np.zeros(7, np.float32)
    with pytest.raises(CheckpointError) as caught:
        load_state(LKDN(**TINY, step="BSConvU_rep", upsampler="rep"), state)
    for words in ("missing c1.bias (6,)", "left over extra.weight (3,)", "B2.c6.bias is (7,), not (6,)"):
        assert words in str(caught.value)


def test_not_a_number_is_refused(tiny_state):
    state = {**tiny_state, "c1.bias": np.full(6, np.nan, np.float32)}
    with pytest.raises(CheckpointError, match="not finite"):
        model_from_state(state, "bad")


def test_another_network_is_refused():
    with pytest.raises(CheckpointError, match="belong to no network known here"):
        model_from_state({"conv_first.weight": np.zeros((64, 3, 3, 3), np.float32)}, "edsr.pth")


class Evil:
    """Unpickled by an ordinary unpickler it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def pth_with(tmp_path, data):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return path


def test_foreign_global_is_refused_and_nothing_runs(tmp_path):
    marker = tmp_path / "executed"
    path = pth_with(tmp_path, pickle.dumps({"a": Evil(marker)}))
    with pytest.raises(CheckpointError, match="refused, nothing was run"):
        read_torch(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Evil(marker)))  # control: the same bytes do run when unpickled carelessly
    assert marker.exists()


def test_torch_names_outside_the_list_are_refused(tmp_path):
    for name in ("torch load", "torch.nn Module", "os system", "builtins eval", "torch._utils _rebuild_xla_tensor"):
        module, name = name.split()
        path = pth_with(tmp_path, f"c{module}\n{name}\n.".encode())
        with pytest.raises(CheckpointError, match=name):
            read_torch(path)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.95, 0.999])
def test_cut_off_file_is_one_clear_error(part, reference, tmp_path):
    data = (reference / "LKDN-S_x4.pth").read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointError, match="cut off|damaged"):
        read_state(path)


def test_shortened_storage_is_an_error(reference, tmp_path):
    path = tmp_path / "short.pth"
    with zipfile.ZipFile(reference / "LKDN-S_x4.pth") as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            data = source.read(item)
            target.writestr(item.filename, data[:-4] if item.filename.endswith("data/0") else data)
    with pytest.raises(CheckpointError, match="bytes, not"):
        read_state(path)


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors", "x.npz", "x.bin"])
def test_text_under_a_weights_name(name, tmp_path):
    path = tmp_path / name
    path.write_text("hello, I am no checkpoint\n" * 20)
    with pytest.raises(CheckpointError):
        read_state(path)


def test_a_folder_does_not_hide_a_preset(tmp_path, monkeypatch):
    (tmp_path / "lkdn-s-x4").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_model("lkdn-s-x4").count_params() > 0


def test_a_network_without_variants_says_so(tmp_path):
    np.savez(tmp_path / "mafdn.npz", **state_of(MAFDN(2, 4, 2, 1, reduction=2)))
    with pytest.raises(CheckpointError, match="a MAFDN has no variants"):
        load_model(tmp_path / "mafdn.npz", "BSConvU_idt")
    np.savez(tmp_path / "lkdn.npz", **state_of(LKDN(2, 4, 2, 1)))
    with pytest.raises(CheckpointError, match="step 'other'"):
        load_model(tmp_path / "lkdn.npz", "other")
