"""Tiles of a network with whole-image statistics: seams without them, none with them, and the whole image's result in the end."""

import numpy as np
import pytest
from support.networks import randomise
from support.photos import save_pillow
from typer.testing import CliRunner

from conversion.commands.main import app
from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.engines.whole_image import MergedMoments, WholeImageEngine, open_engine
from conversion.graph.from_keras import graph_of
from conversion.graph.whole_image_inputs import exact_sweeps, has_statistics, with_statistics_input
from conversion.source import ModelSource
from conversion.upscaling.pipeline import upscale_array
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.system.errors import ModelError

RNG = np.random.default_rng(0)
TILE, HALO = 40, 20


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small random MAFDN, its ordinary file and its whole-image file."""
    folder = tmp_path_factory.mktemp("whole")
    model = randomise(MAFDN(scale=2, features=12, distilled=8, blocks=2, convolution="plain"))
    model.set_weights([0.5 * w for w in model.get_weights()])
    for layer in model._flatten_layers():  # strong, uneven gates: what a tile sees then matters
        if layer.name in ("fc1", "fc2"):
            layer.set_weights([6 * w for w in layer.get_weights()])
    model.save(folder / "m.keras")
    convert(folder / "m.keras", folder / "own.tflite", "float32", (48, 48))
    convert(folder / "m.keras", folder / "whole.tflite", "float32", (48, 48), whole_image=True)
    return model, folder / "own.tflite", folder / "whole.tflite"


@pytest.fixture(scope="module")
def image():
    """(100, 130, 3): dark and smooth on the left, bright noise on the right, so that tiles differ from the whole."""
    noise = RNG.random((100, 130, 3), np.float32)
    return (noise * np.linspace(0.05, 1, 130, dtype=np.float32)[:, None]).astype(np.float32)


def test_exact_sweeps_give_the_whole_images_result(files, image):
    _, own, whole = files
    wanted = CpuEngine(own).run(image)
    engine = open_engine(whole)
    assert isinstance(engine, WholeImageEngine)
    errors = {}
    for sweeps in (0, 1, engine.exact_sweeps):
        engine.sweeps = sweeps
        errors[sweeps] = np.abs(upscale_array(image, engine, TILE, HALO) - wanted).max()
    alone = np.abs(upscale_array(image, CpuEngine(own), TILE, HALO) - wanted).max()
    assert engine.exact_sweeps == 2
    assert errors[2] <= 2e-5
    assert errors[2] < errors[1] < alone  # the control: each tile by its own statistics
    assert alone > 1e-4


def test_an_image_in_one_tile_needs_no_sweep(files, image):
    _, own, whole = files
    small = image[:30, :36]
    assert np.abs(upscale_array(small, open_engine(whole)) - CpuEngine(own).run(small)).max() <= 2e-5


def test_merged_moments_are_those_of_the_whole():
    values = RNG.normal(20, 0.5, (1000, 3))
    merged = MergedMoments()
    for part in np.split(values, [10, 500, 501]):
        merged.add(len(part), part.mean(0), part.var(0))
    np.testing.assert_allclose(merged.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(merged.variance, values.var(0), rtol=1e-9)
    np.testing.assert_allclose(merged.contrast([1e-5] * 3), values.mean(0) + np.sqrt(values.var(0) + 1e-5), rtol=1e-6)


def test_only_networks_with_statistics_have_the_input(files, tmp_path):
    model, _, _ = files
    graph = graph_of(model)
    assert has_statistics(graph)
    assert exact_sweeps(graph) == 2
    assert {"core", "statistics", "moments"} <= with_statistics_input(graph).nodes.keys()
    plain = randomise(LKDN(scale=2, features=12, attention_channels=12, blocks=1))
    assert not has_statistics(graph_of(plain))
    plain.save(tmp_path / "p.keras")
    convert(tmp_path / "p.keras", tmp_path / "p.tflite", "float32", (32, 32), whole_image=True)
    assert type(open_engine(tmp_path / "p.tflite")) is CpuEngine


def test_a_file(files, image, tmp_path):
    """The command streams the photo twice; its picture is that of the array."""
    _, _, whole = files
    photo, out = tmp_path / "in.png", tmp_path / "out.png"
    samples = (image * 255).astype(np.uint8)
    save_pillow(photo, samples)
    result = CliRunner().invoke(app, ["upscale", str(photo), str(out), "--model", str(whole), "--tile", str(TILE), "--halo", str(HALO)])
    assert result.exit_code == 0, result.output
    from conversion.upscaling.images import ImageReader

    got = ImageReader(out).read(200).astype(int)
    engine = open_engine(whole)
    wanted = upscale_array(samples.astype(np.float32) / 255, engine, TILE, HALO)
    assert np.abs(got - np.rint(np.clip(wanted, 0, 1) * 255)).max() <= 1


def test_evaluation_of_a_whole_image_file(files, image):
    _, own, whole = files
    assert np.abs(ModelSource.of(whole).predictor().run(image) - ModelSource.of(own).predictor().run(image)).max() <= 1e-3


def test_a_card_without_the_recipe_is_refused(files, tmp_path):
    from conversion.tflite.file import read_tflite, with_metadata

    _, _, whole = files
    card = {**read_tflite(whole).card, "statistics": {"sweeps": 1}}
    (tmp_path / "bad.tflite").write_bytes(with_metadata(whole.read_bytes(), card))
    with pytest.raises(ModelError, match="does not say how they are made"):
        open_engine(tmp_path / "bad.tflite")
