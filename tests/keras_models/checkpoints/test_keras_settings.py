"""The settings and weights in a .keras: whatever is of a wrong kind, size or name is one line, before a network is built of it."""

import io
import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from support.command_line import one_line_error, run_here
from support.networks import randomise

from keras_models.checkpoints.loading import load_model
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.system.errors import MobileSRError


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.keras"
    randomise(MAFDN(2, 4, 2, 1, reduction=2)).save(path)
    return path


def changed(good, target, change):
    """The same file with another config.json; `change` gets the object and may give another."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "config.json":
                config = json.loads(content)
                content = json.dumps(change(config) or config)
            new.writestr(member.filename, content)
    return target


SETTINGS = {
    "a dictionary": ("epsilon", {"a": 1}, "epsilon (dict): must be a number"),
    "a word": ("epsilon", "x", "epsilon 'x': must be a number"),
    "no number": ("epsilon", float("nan"), "epsilon nan: must be a number"),
    "infinite": ("epsilon", float("inf"), "epsilon inf: must be a number"),
    "negative": ("epsilon", -1e-5, "epsilon -1e-05: must be a number between 0 and 1"),
    "a list": ("negative_slope", [0.1], "negative_slope (list): must be a number"),
    "nothing": ("negative_slope", None, "negative_slope (NoneType): must be a number"),
    "yes": ("negative_slope", True, "negative_slope True: must be a number"),
    "a function": ("negative_slope", {"class_name": "__lambda__", "config": {"code": "4wEA"}}, "negative_slope (dict)"),
    "a number as a word": ("scale", "2", "scale '2': must be a whole number"),
    "half a number": ("features", 4.5, "features 4.5: must be a whole number"),
    "yes for a number": ("blocks", True, "blocks True: must be a whole number"),
    "too many": ("blocks", 33, "32 is the most"),
    "a huge number": ("features", 10**400, "features (int): 256 is the most"),
    "below nothing": ("spatial_kernel", -7, "must be a whole number"),
    "NUL in a name": ("name", "a\0b", "must be a word"),
    "half a letter": ("name", "a\ud800b", "must be a word"),
    "a line break": ("name", "a\nb", "must be a word"),
    "a path": ("name", "../a", "must be a word"),
    "a long name": ("name", "x" * 101, "must be a word"),
    "no name": ("name", "", "must be a word"),
    "another choice": ("convolution", "none", "convolution 'none'"),
    "a list of choices": ("convolution", ["do"], "must be a word"),
    "a dtype that is none": ("dtype", {"class_name": "DTypePolicy"}, "dtype (dict): must be one of"),
    "a word for yes": ("trainable", "yes", "must be true or false"),
    "what it has not": ("activation", "relu", "a setting activation that MAFDN does not have"),
    "an odd key": ("a\ud800", 1, "that MAFDN does not have"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings(kind, good, tmp_path):
    key, value, words = SETTINGS[kind]
    path = changed(good, tmp_path / "a.keras", lambda config: config["config"].update({key: value}))
    with pytest.raises(MobileSRError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(path)
    assert words in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: [config], "no network, not one of"),
        (lambda config: {**config, "class_name": ["MAFDN"]}, "no network, not one of"),
        (lambda config: {**config, "class_name": "Lambda"}, "a Lambda, not one of"),
        (lambda config: {**config, "config": [1]}, "it says no settings of its MAFDN"),
        (lambda config: {"class_name": "MAFDN"}, "it says no settings of its MAFDN"),
        (lambda config: {**config, "config": {"scale": 2}}, "not a readable .keras model"),  # its weights are another size's
    ],
)
def test_configurations(change, words, good, tmp_path):
    with pytest.raises(MobileSRError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(changed(good, tmp_path / "a.keras", change))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_control_a_dtype_and_a_name_of_two_words(tmp_path):
    """Every network's own settings are read back in tests/keras_models/test_networks.py."""
    network = LKDN(2, 4, 2, 1, name="Größe 2", dtype="mixed_float16")
    network.save(tmp_path / "a.keras")
    read = load_model(tmp_path / "a.keras")
    assert read.name == "Größe 2" and read.get_config() == network.get_config()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value, tmp_path, capfd, monkeypatch):
    network = LKDN(2, 4, 2, 1)
    kernel = network.weights[3]
    kernel.assign(np.full(kernel.shape, value, np.float32))
    network.save(tmp_path / "a.keras")
    said = one_line_error(run_here(capfd, monkeypatch, "import", tmp_path / "a.keras", "-o", tmp_path / "o.safetensors"))
    assert "holds values that are not finite" in said and not (tmp_path / "o.safetensors").exists()


def test_a_configuration_in_a_deep_nest(good, tmp_path):
    data = io.BytesIO(good.read_bytes())
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(tmp_path / "a.keras", "w") as new:
        new.writestr("config.json", b'{"class_name":' * 60_000)
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    with pytest.raises(MobileSRError, match="no network, not one of"):
        load_model(tmp_path / "a.keras")


@pytest.mark.parametrize(("megabytes", "words"), [(0.9, "could not be loaded"), (2, "arrays of more than"), (500, "arrays of more than")])
def test_an_array_that_no_network_has(megabytes, words, tmp_path):
    """Zeros, packed: some kilobytes in the file. Below the limit Keras says what is wrong."""
    LKDN(2, 4, 2, 1).save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as old, zipfile.ZipFile(tmp_path / "a.keras", "w") as new:
        weights = tmp_path / "a.h5"
        weights.write_bytes(old.read("model.weights.h5"))
        with h5py.File(weights, "a") as file:
            arrays: list[str] = []
            file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
            del file[arrays[0]]
            file.create_dataset(arrays[0], (int(megabytes * 1e6) // 4,), "f4", chunks=(1 << 16,), compression="gzip")
        new.writestr("config.json", old.read("config.json"))
        new.write(weights, "model.weights.h5")
    with pytest.raises(MobileSRError, match=words) as caught:
        load_model(tmp_path / "a.keras")
    assert "\n" not in str(caught.value)
