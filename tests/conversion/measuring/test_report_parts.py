"""The rules behind what the report shows: which detail, which photos, how numbers, cards and credits are written."""

import json

import numpy as np
import pytest

from conversion.measuring.html_page.fill import number, signed
from conversion.measuring.report.card_tree import card_tree
from conversion.measuring.report.credits import read_credits
from conversion.measuring.report.literature import benchmark_of, published_results
from conversion.measuring.report.pictures import Picture, Version, hardest_box, spread, within_budget
from keras_models.data.bicubic import enlarge, shrink
from keras_models.registry import PRESETS
from keras_models.system.errors import ImageError


def test_detail_is_where_bicubic_loses_most():
    original = np.full((200, 300, 3), 90, np.uint8)
    original[120:150, 220:250] = np.random.default_rng(0).integers(0, 256, (30, 30, 3))
    box = hardest_box(enlarge(shrink(original, 4), 4), original, 4)
    assert (box.width, box.height) == (100, 100) and box.x % 4 == box.y % 4 == 0
    assert box.x <= 220 and box.x + box.width >= 250 and box.y <= 120 and box.y + box.height >= 150
    assert box.of(original).shape == (100, 100, 3)
    assert hardest_box(np.zeros((5, 9, 3), np.uint8), original[:5, :9], 4).width == 4


def test_shown_photos_are_spread_and_fit():
    assert spread(list(range(4))) == [0, 1, 2, 3]
    assert spread(list(range(101))) == [0, 20, 40, 60, 80, 100]
    pictures = [Picture(str(i), 1, 1, None, [Version("a", bytes(30), bytes(10))]) for i in range(5)]
    assert [len(within_budget(pictures, size)) for size in (1000, 120, 119, 40, 1)] == [5, 3, 2, 1, 1]


def test_numbers():
    assert [number(v) for v in (None, float("nan"), float("inf"), 1.23456)] == ["–", "–", "∞", "1.235"]
    assert [signed(v) for v in (0.0, -0.0, -0.0004, -0.5, 2.0, float("nan"))] == ["0.000", "0.000", "0.000", "−0.500", "+2.000", "–"]


def test_any_card_can_be_laid_out():
    deep = value = {}
    for _ in range(60):
        value["a"] = value = {}
    tree = card_tree(
        {"deep": deep, "list": [1, 2], "rows": [{"x": 1}, {"y": None}], "mixed": [1, {"z": 2}], "long": "w" * 9000, "": [], "t": True}
    )
    found = dict(tree.entries)
    assert found["list"].text == "1, 2" and found["t"].text == "yes" and found[""].text == "–" and len(found["long"].text) < 5000
    assert found["rows"].headings == ("x", "y") and [[cell.text for cell in row] for row in found["rows"].rows] == [["1", "–"], ["–", "–"]]
    assert found["mixed"].text == '[1, {"z": 2}]'


def test_credits(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    assert read_credits(photos) == {}
    (tmp_path / "photos.csv").write_text("name,price\na.png,3\n")
    assert read_credits(photos) == {}  # some other table
    (photos / "credits.csv").write_text("file,author,licence,source\na.png,Ann,CC0,\nb.png\n")
    credits = read_credits(photos)
    assert (credits["a"].as_text(), credits["b"].as_text()) == ("Ann · CC0", "")
    (photos / "credits.csv").write_bytes(b"file,author\n\xff\xfe\x00.png,x\n")
    with pytest.raises(ImageError, match="not a readable table of credits"):
        read_credits(photos)


def test_published_figures_are_of_the_presets():
    results = [result for scale in (2, 3, 4) for result in published_results(scale)]
    assert {result.kind for result in results} == {"published", "measured", "derived"} and all(result.source for result in results)
    for result in results:
        if result.preset:
            preset = PRESETS[result.preset]
            assert preset.scale == result.scale and preset.parameters[1] == pytest.approx(result.parameters, rel=1e-3)
        assert all(20 < psnr < 40 and (ssim is None or 0 < ssim < 1) for psnr, ssim in result.quality.values())
    assert benchmark_of(["woman", "baby", "bird", "head", "butterfly"]) == "Set5" and benchmark_of(["baby"]) is None


def test_measured_figures_are_those_recorded(reference):
    """What published.json calls measured is what the authors' network gave on the same photos."""
    recorded = json.loads((reference / "expected.json").read_text())
    names = {"lkdn-x2": "LKDN_x2", "lkdn-x3": "LKDN_x3", "lkdn-s-x4": "LKDN-S_x4"}
    for result in (r for scale in (2, 3, 4) for r in published_results(scale) if r.kind == "measured"):
        for benchmark, (psnr, ssim) in result.quality.items():
            mean = recorded[names[result.preset]][benchmark]["mean"]
            assert (psnr, ssim) == (pytest.approx(mean["psnr_y"], abs=6e-4), pytest.approx(mean["ssim_y"], abs=6e-6))
