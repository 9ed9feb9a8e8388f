"""The paper's numbers, per image, against the authors' own network's scores on the same files."""

import json

import numpy as np
import pytest
from PIL import Image
from support.networks import RELEASED
from support.photos import exif, noise, save_pillow, turned

from conversion.measuring.evaluate import evaluate_model
from keras_models.system.errors import ImageError

SPINE = ("LKDN_x2", "LKDN_x3", "LKDN_x4", "LKDN-S_x4", "LKDN-S_del_rep_x4")


def check(evaluation, expected, psnr=0.003, ssim=0.0002):
    assert evaluation.images.keys() == expected["images"].keys()
    pairs = [(evaluation.mean, expected["mean"]), *((evaluation.images[name], scores) for name, scores in expected["images"].items())]
    for ours, theirs in pairs:
        assert abs(ours.psnr_y - theirs["psnr_y"]) <= psnr
        assert abs(ours.psnr_rgb - theirs["psnr_rgb"]) <= psnr
        assert abs(ours.ssim_y - theirs["ssim_y"]) <= ssim


@pytest.fixture(scope="module")
def expected(reference):
    return json.loads((reference / "expected.json").read_text())


@pytest.mark.parametrize("name", SPINE)
def test_keras_on_set5(name, shared, expected):
    result = evaluate_model(shared / "reference" / (name + RELEASED[name]), shared / "data/Set5")
    assert result.low_res == f"LR{name[-2:]}"
    check(result, expected[name]["Set5"])


@pytest.mark.parametrize(("recipe", "psnr"), [("float32", 0.003), ("float16", 0.01)])
@pytest.mark.parametrize("name", [pytest.param("LKDN_x4", marks=pytest.mark.slow), "LKDN-S_x4"])
def test_tflite_on_set5(name, recipe, psnr, shared, converted, expected):
    check(evaluate_model(converted(name, recipe), shared / "data/Set5"), expected[name]["Set5"], psnr)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["Set5", "Set14"])
@pytest.mark.parametrize("name", SPINE)
def test_all_forms_on_all_images(name, folder, shared, converted, expected):
    check(evaluate_model(shared / "reference" / (name + RELEASED[name]), shared / "data" / folder), expected[name][folder])
    for recipe, psnr in (("float32", 0.003), ("float16", 0.01)):
        check(evaluate_model(converted(name, recipe), shared / "data" / folder), expected[name][folder], psnr)


def test_onnx_gives_the_same_numbers(shared, expected):
    check(evaluate_model(shared / "reference/LKDN_x4_dynamic.onnx", shared / "data/Set5"), expected["LKDN_x4"]["Set5"])


def test_wrong_model_is_seen(shared, converted, expected):
    """Control: another network's numbers are outside the tolerance."""
    with pytest.raises(AssertionError):
        check(evaluate_model(converted("LKDN-S_x4"), shared / "data/Set5"), expected["LKDN_x4"]["Set5"])


def test_photos_without_low_res_are_shrunk(shared, converted, tmp_path):
    for name in ("bird", "woman"):
        (tmp_path / f"{name}.png").write_bytes((shared / f"data/Set5/HR/{name}.png").read_bytes())
    new, old = (evaluate_model(converted("LKDN-S_x4"), tmp_path, rule) for rule in ("new", "old"))
    given = evaluate_model(converted("LKDN-S_x4"), shared / "data/Set5")
    assert {n: old.images[n] for n in ("bird", "woman")} == {n: given.images[n] for n in ("bird", "woman")}
    assert new.low_res == "bicubic, newer MATLAB rule" and new.images["bird"] != old.images["bird"]


def test_photos_are_turned_upright(tiny_model, tmp_path):
    """A camera's sideways JPEG with an orientation scores what the same picture stored upright does."""
    upright, sideways = tmp_path / "upright", tmp_path / "sideways"
    samples = noise(48, 40)
    for folder, stored, orientation in ((upright, samples, 1), (sideways, turned(samples, 6), 6)):
        folder.mkdir()
        save_pillow(folder / "a.png", stored, exif=exif(orientation))
    scores = [evaluate_model(tiny_model("nearest"), folder).images["a"] for folder in (upright, sideways)]
    assert scores[0] == scores[1]
    save_pillow(sideways / "a.png", turned(samples, 6))
    assert evaluate_model(tiny_model("nearest"), sideways).images["a"] != scores[0]


def test_two_photos_of_one_name_keep_their_endings(tiny_model, tmp_path):
    for name in ("a.png", "a.jpg", "sub/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_pillow(tmp_path / name, noise(64, 64))
    assert list(evaluate_model(tiny_model("nearest"), tmp_path).images) == ["a.jpg", "a.png", "sub/b.png"]


def test_one_bad_pair_is_named_and_the_others_are_measured(tiny_model, tmp_path):
    """Its scores are those of the good pair alone; low-res files of another factor are no pairs at all."""
    for name, size in (("good", 32), ("half", 16)):
        (tmp_path / "HR").mkdir(exist_ok=True)
        (tmp_path / "LRx2").mkdir(exist_ok=True)
        save_pillow(tmp_path / "HR" / f"{name}.png", noise(64, 64))
        save_pillow(tmp_path / "LRx2" / f"{name}.png", noise(size, size))
    (tmp_path / "HR" / "torn.png").write_bytes((tmp_path / "HR" / "good.png").read_bytes()[:300])
    (tmp_path / "LRx2" / "torn.png").write_bytes((tmp_path / "LRx2" / "good.png").read_bytes())
    result = evaluate_model(tiny_model("nearest"), tmp_path)
    assert list(result.images) == ["good"] and result.mean == result.images["good"] and result.low_res == "LRx2"
    assert "half.png: 64x64, its low-res image 16x16: not x2" in result.failed[0] and "torn.png: cannot be read" in result.failed[1]
    (tmp_path / "HR" / "good.png").unlink()
    with pytest.raises(ImageError, match="none of 2 photos has scores, the first: .*not x2"):
        evaluate_model(tiny_model("nearest"), tmp_path)


def test_missing_pair_and_bad_image(converted, tmp_path):
    (tmp_path / "HR").mkdir()
    (tmp_path / "LRx4").mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "HR/a.png")
    with pytest.raises(ImageError, match="a.png: there is no LRx4/a.png"):
        evaluate_model(converted("LKDN-S_x4"), tmp_path)
    (tmp_path / "LRx4/a.png").write_text("no picture")
    with pytest.raises(ImageError, match="LRx4/a.png: not an image that can be read"):
        evaluate_model(converted("LKDN-S_x4"), tmp_path)


def resized_by(path, factor):
    """An .onnx that doubles an image's sides, times a number."""
    import onnx
    from onnx import helper

    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 3, "h", "w"))
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 3, "h2", "w2"))
    constants = [helper.make_tensor("scales", onnx.TensorProto.FLOAT, [4], [1, 1, 2, 2])]
    constants.append(helper.make_tensor("f", onnx.TensorProto.FLOAT, [], [factor]))
    nodes = [
        helper.make_node("Resize", ["image", "", "scales"], ["large"], mode="nearest", coordinate_transformation_mode="asymmetric"),
        helper.make_node("Mul", ["large", "f"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "doubling", [image], [result], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("factor", [np.nan, np.inf, -np.inf])
def test_no_number_is_no_score(factor, tmp_path):
    """Whatever kind of file: a NaN would be black, and have a PSNR."""
    from keras_models.system.errors import ModelError

    (tmp_path / "photos").mkdir()
    save_pillow(tmp_path / "photos/a.png", noise(40, 48))
    with pytest.raises(ModelError, match="values that are no numbers"):
        evaluate_model(resized_by(tmp_path / "bad.onnx", factor), tmp_path / "photos")
    assert evaluate_model(resized_by(tmp_path / "good.onnx", 1.0), tmp_path / "photos").mean.psnr_y > 5
