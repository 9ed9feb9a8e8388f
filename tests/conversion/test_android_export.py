"""What the Android app reads: the list, the copies, and golden tiles that the file really reproduces."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from conversion.android_export import add_compiled, add_to_android
from conversion.engines.cpu import CpuEngine
from conversion.model_card import Card, made_card
from conversion.npu.compiling import Compilation, CompiledFile
from conversion.tflite.file import read_tflite
from keras_models.system.errors import ConversionError


@pytest.fixture
def card(converted):
    facts = dict(read_tflite(converted("LKDN-S_x4")).card)
    return Card(**{**facts, "tile": tuple(facts["tile"])})


def test_folder_is_complete_and_the_golden_tile_is_true(card, converted, tmp_path):
    path = converted("LKDN-S_x4")
    add_to_android(card, path, tmp_path)
    add_to_android(card, path, tmp_path)  # again: the entry is replaced, not doubled
    listed = json.loads((tmp_path / "models.json").read_text())
    assert listed["schema"] == 1 and len(listed["models"]) == 1
    entry = listed["models"][0]
    copy = tmp_path / entry["file"]
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == entry["sha256"]
    assert entry["tile"] == [64, 64] and entry["halo"] == 32 and entry["scale"] == 4 and entry["range"] == [0, 1]
    low, high = (np.asarray(Image.open(tmp_path / entry["golden"][key]), np.float32) / 255 for key in ("input", "output"))
    assert low.shape == (64, 64, 3) and high.shape == (256, 256, 3)
    assert np.abs(CpuEngine(copy).run(low).clip(0, 1) - high).max() <= 0.51 / 255
    assert high.std() > 0.1


def test_foreign_list_is_left_alone(card, converted, tmp_path):
    (tmp_path / "models.json").write_text('{"name": "something else"}')
    with pytest.raises(ConversionError, match="not a models.json"):
        add_to_android(card, converted("LKDN-S_x4"), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["models.json"]


@pytest.mark.parametrize(("facts", "words"), [({"stride": 4}, "blocks of 4 pixels"), ({"halo": 1 << 20}, "whole image")])
def test_networks_whose_tiles_the_app_would_cut_wrong_are_refused(facts, words, tiny_model, tmp_path):
    known = dict.fromkeys(("name", "family", "recipe", "source", "weights_sha256"), "x")
    numbers = {"scale": 2, "halo": 8, "receptive_radius": None, "parameters": 1, "multi_adds": 1, "tools": {}}
    card = made_card({}, (16, 16), **known, **numbers | facts)
    with pytest.raises(ConversionError, match=words):
        add_to_android(card, tiny_model("random"), tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_compiled_files_stand_in_the_entry_of_their_plain_file_until_that_changes(card, converted, tmp_path):
    path, folder = converted("LKDN-S_x4"), tmp_path / "models"
    add_to_android(card, path, folder)
    plain = json.loads((folder / "models.json").read_text())["models"][0]
    for soc, content in (("SM8650", b"first"), ("SM8750", b"other"), ("SM8650", b"again")):  # the same SoC again: replaced, not doubled
        made = tmp_path / f"any_{soc}.tflite"
        made.write_bytes(content)
        file = CompiledFile(soc, "a phone", str(made), len(content), 1)
        add_compiled(Compilation(str(path), plain["sha256"], str(path), (file,)), folder)
    entry = json.loads((folder / "models.json").read_text())["models"][0]
    assert {**entry, "npu": None} == {**plain, "npu": None}
    stem = plain["file"].removesuffix(".tflite")
    assert [(npu["soc"], npu["file"]) for npu in entry["npu"]] == [(soc, f"{stem}_{soc}.tflite") for soc in ("SM8650", "SM8750")]
    for npu, content in zip(entry["npu"], (b"again", b"other")):
        assert (folder / npu["file"]).read_bytes() == content
        assert npu["sha256"] == hashlib.sha256(content).hexdigest()
    add_to_android(card, path, folder)  # exported anew: what was compiled of the old file is gone, and not listed
    assert "npu" not in json.loads((folder / "models.json").read_text())["models"][0]
    assert not list(folder.glob("*_SM*"))


def test_compiled_files_of_a_model_that_is_not_listed_are_refused(card, converted, tmp_path):
    add_to_android(card, converted("LKDN-S_x4"), tmp_path)
    before = (tmp_path / "models.json").read_bytes()
    with pytest.raises(ConversionError, match="not listed"):
        add_compiled(Compilation("x.tflite", "0" * 64, "x.tflite", ()), tmp_path)
    assert (tmp_path / "models.json").read_bytes() == before
