"""Quantized files: rounding of weights, sharing of vectors, what is in the files and what they do to a picture."""

import functools
import json

import keras
import numpy as np
import pytest
from PIL import Image
from support.networks import RELEASED, randomise

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.graph.from_keras import graph_of
from conversion.graph.to_keras import to_keras
from conversion.measuring.evaluate import evaluate_model
from conversion.measuring.inspection import inspect_tflite
from conversion.quantization.fake_quant import int8_tflite, with_fake_quant
from conversion.quantization.gptq import round_to_grid, rounded
from conversion.quantization.int8 import int8_form, quantize
from conversion.quantization.int16x8 import int16x8_tflite
from conversion.quantization.weight_only import with_int8_weights
from conversion.tflite.converter import to_tflite
from conversion.tflite.file import read_tflite, with_metadata
from conversion.tflite.flatbuffer_dedup import with_shared_vectors
from keras_models.lkdn import LKDN
from keras_models.system.errors import ConversionError, ImageError


def smooth(count, size=32, seed=0):
    """Images with neighbours alike, as in photos: upscaled noise."""
    noise = np.random.default_rng(seed).random((count, size // 4, size // 4, 3))
    return np.kron(noise, np.ones((1, 4, 4, 1))).astype("float32")


IMAGE = smooth(1, seed=1)[0]
"""What files are tried on: none of the images that they are fitted to."""


def test_rounding_beats_nearest_on_correlated_inputs(rng):
    inputs = rng.standard_normal((4000, 24)) @ rng.standard_normal((24, 24))
    weights = rng.standard_normal((24, 5))
    hessian = inputs.T @ inputs / len(inputs)
    step = np.abs(weights).max(axis=0) / 127
    grid = round_to_grid(weights, hessian)
    nearest = np.round(weights / step) * step
    errors = [np.square(inputs @ (w - weights)).mean() for w in (grid, nearest)]
    assert errors[0] < 0.7 * errors[1]
    assert np.allclose(grid / step, np.round(grid / step), atol=1e-6)
    assert np.allclose(np.abs(grid).max(axis=0), 127 * step)  # the converter computes the same step again


FEW_CROPS = ("conversion.quantization.int8.CROPS", 6)
"""Tiny networks need no more; the slow tests have as many as users have."""


@pytest.fixture(scope="module")
def network():
    """A random network whose picture is in [0, 1]: its last bias is grey, its last kernel small."""
    network = randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=3), seed=5)
    last = network.get_layer("upsampler").conv
    kernel, bias = last.get_weights()
    last.set_weights([kernel * 0.05, bias * 0 + 0.5])
    return network


@pytest.fixture(scope="module")
def keras_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    network.save(path)
    return path


@pytest.fixture(scope="module")
def form(network):
    """The network's graph as int8 has it, before anything is rounded; change a copy."""
    return int8_form(graph_of(network), smooth(6))


@pytest.fixture(scope="module")
def made(keras_file, photos, tmp_path_factory):
    """A function from a recipe to the file of 32x32 tiles that `convert` makes, and its card, once."""
    folder = tmp_path_factory.mktemp("files")

    @functools.cache
    def make(recipe):
        path = folder / f"{recipe}.tflite"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(*FEW_CROPS)
            return path, convert(keras_file, path, recipe, (32, 32), photos)

    return make


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index, image in enumerate(smooth(3, 160)):
        Image.fromarray((image * 255).astype("uint8")).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def quantized(network):
    graph, ranges, _ = quantize(graph_of(network), smooth(6))
    return graph, ranges, int8_tflite(graph, ranges, 32, 32)


def run(path, image):
    return CpuEngine(path, 1).run(image)


def test_every_tensor_is_an_integer_and_scales_are_as_stated(quantized, tmp_path):
    graph, ranges, data = quantized
    path = tmp_path / "int8.tflite"
    path.write_bytes(data)
    file = read_tflite(path)
    assert {tensor.dtype for tensor in file.tensors} <= {"int8", "int32"}
    for operation in file.operations:
        if operation.name == "MUL":  # the converter's own calibration gives an input the product's scale
            output = file.tensors[operation.outputs[0]].scales
            assert all(file.tensors[i].scales != output for i in operation.inputs)
    kernels = {tensor.scales for tensor in file.tensors if tensor.constant and tensor.dtype == "int8"}
    wanted = [np.abs(n.weights["kernel"]).max(axis=tuple(i for i in range(4) if i != (2 if n.op.startswith("d") else 3))).ravel() / 127
              for n in graph.nodes.values() if "kernel" in n.weights]  # fmt: skip
    assert all(any(len(w) == len(k) and np.allclose(w, k, rtol=1e-4) for k in kernels) for w in wanted)


def test_integer_kernels_agree_with_the_simulation_and_the_network(quantized, network, tmp_path):
    graph, ranges, data = quantized
    path = tmp_path / "int8.tflite"
    path.write_bytes(data)
    simulated = keras.ops.convert_to_numpy(to_keras(with_fake_quant(graph, ranges), None, None)(IMAGE[None])["upscaled"])[0]
    truth = keras.ops.convert_to_numpy(network(IMAGE[None]))[0].clip(0, 1)
    noise, apart = ((a - b).std() for a, b in ((simulated, truth), (run(path, IMAGE), simulated)))
    assert apart <= noise  # rounding flips, amplified along the chain
    assert (run(path, IMAGE) - truth).std() <= 1.2 * noise
    assert noise < 0.15 * truth.std()


def test_rounded_weights_beat_nearest_ones(network, form, tmp_path):
    """Control: the same graph and ranges with the float weights left to the converter's rounding."""
    fitted = rounded(form, {}, smooth(6))
    truth = keras.ops.convert_to_numpy(network(IMAGE[None]))[0]
    errors = []
    for candidate in (fitted, form):
        path = tmp_path / "weights.tflite"
        path.write_bytes(with_int8_weights(to_tflite(to_keras(candidate, 32, 32))))
        errors.append((run(path, IMAGE) - truth).std())
    assert errors[0] < 0.8 * errors[1]


def test_shared_vectors_keep_function_names_and_metadata(quantized, tmp_path):
    data = with_metadata(quantized[2], {"name": "tiny"})
    small = with_shared_vectors(data)
    assert len(small) < 0.85 * len(data)
    for name, content in (("plain", data), ("small", small)):
        (tmp_path / f"{name}.tflite").write_bytes(content)
    files = [inspect_tflite(tmp_path / f"{name}.tflite") for name in ("plain", "small")]
    assert files[0].operations == files[1].operations and files[1].card == {"name": "tiny"}
    assert files[0].signatures == files[1].signatures and files[0].inputs == files[1].inputs
    assert np.array_equal(run(tmp_path / "plain.tflite", IMAGE), run(tmp_path / "small.tflite", IMAGE))


def test_int8_weights_keep_one_partition_and_the_grid(network, tmp_path):
    graph = rounded(graph_of(network, 32, 32), {}, smooth(4))
    path = tmp_path / "weights.tflite"
    path.write_bytes(with_int8_weights(to_tflite(to_keras(graph, 32, 32))))
    report = inspect_tflite(path)
    assert report.cpu_partitions == 1 and report.dtypes.keys() == {"float32"}
    assert report.weights_bytes["int8"] == sum(n.weights["kernel"].size for n in graph.nodes.values() if "kernel" in n.weights)
    expected = keras.ops.convert_to_numpy(to_keras(graph, None, None)(IMAGE[None])["upscaled"])[0]
    assert np.abs(run(path, IMAGE) - expected).max() <= 1e-4


@pytest.mark.parametrize("recipe", ["weight_only_int8", "int8", "int16x8"])
def test_convert_writes_a_file_with_its_card(recipe, made, network):
    path, card = made(recipe)
    report = inspect_tflite(path)
    assert card.recipe == recipe
    assert report.card == json.loads(json.dumps(card.as_json())) == json.loads(path.with_suffix(".json").read_text())
    assert report.inputs[0].dtype == report.outputs[0].dtype == ("int8" if recipe == "int8" else "float32")
    if recipe == "int8":
        assert not any(dtype.startswith("float") for dtype in (*report.dtypes, *report.weights_bytes))
    truth = keras.ops.convert_to_numpy(network(IMAGE[None]))[0].clip(0, 1)
    assert (run(path, IMAGE) - truth).std() < (0.15 if recipe == "int8" else 0.05) * truth.std()


def test_16_bit_files_keep_the_range(form, tmp_path):
    """Sums far outside of [0, 1] come out at its ends."""
    graph = form.copy()
    last = [node for node in graph.nodes.values() if node.op == "conv2d"][-1]
    last.weights = {key: 40 * (array - 0.5 * (key == "bias")) for key, array in last.weights.items()}
    path = tmp_path / "wide.tflite"
    path.write_bytes(int16x8_tflite(graph, 32, 32, smooth(2)))
    result = run(path, IMAGE)
    assert result.min() == 0 and result.max() == 1
    assert inspect_tflite(path).signatures == {"serving_default": (("image",), ("upscaled",))}


def test_verify_judges_integer_files_by_decibels(made, keras_file, tmp_path):
    from conversion.measuring.verify import verify_tflite

    path, _ = made("int8")
    good = verify_tflite(path, keras_file)
    assert good.quantized and good.psnr > 32
    assert all("flat colour" in problem for problem in good.problems)  # random weights keep no colour
    other = randomise(LKDN(scale=2, features=12, attention_channels=8, blocks=1), seed=9)
    other.save(tmp_path / "other.keras")
    wrong = verify_tflite(path, tmp_path / "other.keras")
    assert f"only {wrong.psnr:.1f} dB to {tmp_path / 'other.keras'}" in wrong.problems


def test_bad_calibration_folders(keras_file, photos, tmp_path):
    arguments = keras_file, tmp_path / "tiny.tflite", "int8", (32, 32)
    with pytest.raises(ConversionError, match="some dozens as calibration"):
        convert(*arguments)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImageError, match="no photos in it"):
        convert(*arguments, empty)
    Image.new("RGB", (95, 300)).save(empty / "narrow.png")
    with pytest.raises(ImageError, match="no photo of at least 96x96"):
        convert(*arguments, empty)
    with pytest.raises(ImageError, match="no such folder"):
        convert(*arguments, tmp_path / "nowhere")
    (tmp_path / "done.tflite").write_bytes(b"")
    with pytest.raises(ConversionError, match="converted already"):
        convert(tmp_path / "done.tflite", *arguments[1:], photos)
    assert not arguments[1].exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "allowed", "flat"),  # dB, grey levels; SPAN has neither LKDN's (docs/int8.md)
    [("LKDN-S_x4", 0.18, 0.5), ("LKDN_x4", 0.15, 0.5), ("span_x4", 0.27, 2.2)],
)
def test_drop_size_and_colours_of_released_networks(name, allowed, flat, converted, reference, shared, tmp_path):
    target = tmp_path / "int8.tflite"
    convert(reference / (name + RELEASED[name]), target, "int8", (64, 64), shared / "data/train")
    full = converted(name)
    drops = {data: evaluate_model(full, shared / "data" / data).mean.psnr_y - evaluate_model(target, shared / "data" / data).mean.psnr_y
             for data in ("Set5", "Set14")}  # fmt: skip
    assert drops["Set5"] <= allowed and drops["Set14"] <= allowed
    assert target.stat().st_size <= 0.36 * full.stat().st_size
    for level in np.round(np.linspace(0, 255, 17)) / 255:  # whole grey levels: the input itself has no others
        grey = np.full((48, 48, 3), level, np.float32)
        error = run(target, grey) - run(full, grey)
        assert np.abs(error.mean(axis=(0, 1))).max() < flat / 255, level


@pytest.mark.slow
def test_recipe_report(network, photos, tmp_path):
    from conversion.measuring.recipe_table import plot, recipe_report

    network.save(tmp_path / "tiny.keras")
    report = recipe_report(tmp_path / "tiny.keras", photos, photos, tmp_path / "files", tile=(32, 48), runs=2)
    rows = {row.recipe: row for row in report.rows}
    assert list(rows) == ["float32", "float16", "weight_only_int8", "int8", "int16x8"]
    assert rows["int8"].integer_share == 1 and rows["float32"].integer_share == 0 and rows["float32"].drop == 0
    assert all(row.size == (tmp_path / "files" / f"{name}.tflite").stat().st_size and row.one_thread > 0 for name, row in rows.items())
    assert report.tensors and list(report.tensors.values()) == sorted(report.tensors.values(), reverse=True)
    assert "int8 tensors whose rounding hurts most" in report.as_text() and json.dumps(report.as_json())
    plot(report, tmp_path / "recipes.png")
    assert Image.open(tmp_path / "recipes.png").size[0] > 500


def test_a_recipe_that_a_network_does_not_bear_is_a_note(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(*FEW_CROPS)
    from conversion.measuring.recipe_table import convert_recipes
    from keras_models.mafdn import MAFDN

    MAFDN(2, 4, 2, 1, reduction=2).save(tmp_path / "tiny.keras")
    done = []
    made = convert_recipes(tmp_path / "tiny.keras", ("float16", "int8"), photos, tmp_path, lambda: done.append(1))
    assert list(made.files) == ["float16"] and len(done) == 2 and not made.noise
    assert len(made.notes) == 1 and made.notes[0].startswith("int8 is not possible: ")


@pytest.mark.slow
def test_tensors_left_in_float_lose_less(network, photos, tmp_path):
    network.save(tmp_path / "tiny.keras")
    truth = keras.ops.convert_to_numpy(network(IMAGE[None]))[0].clip(0, 1)
    last_rounding = ((np.rint(truth * 255) / 255 - truth) ** 2).mean()  # of the 8-bit picture: both files have it
    errors = []
    for count in (0, 30):
        card = convert(tmp_path / "tiny.keras", tmp_path / "mixed.tflite", "int8", (32, 32), photos, float_tensors=count)
        errors.append(((run(tmp_path / "mixed.tflite", IMAGE) - truth) ** 2).mean() - last_rounding)
    assert (card.recipe, card.float_tensors) == ("int8", 30) and errors[1] < 0.75 * errors[0], errors
    with pytest.raises(ConversionError, match="float_tensors 3: recipe float32"):
        convert(tmp_path / "tiny.keras", tmp_path / "mixed.tflite", "float32", (32, 32), float_tensors=3)
