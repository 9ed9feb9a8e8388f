"""MAFDN: published counts, folding, checkpoints, numerics on hard images, and its way to TFLite."""

import keras
import numpy as np
import pytest
from keras import ops
from support.networks import randomise

from conversion.convert_model import convert
from conversion.engines.cpu import CpuEngine
from conversion.graph.from_keras import graph_of, multi_adds
from conversion.graph.to_keras import to_keras
from keras_models.attention import Contrast
from keras_models.checkpoints.loading import build_preset, load_model, model_from_state
from keras_models.checkpoints.state_dict import load_state, state_of
from keras_models.folding import fold, fold_error
from keras_models.mafdn import MAFDN
from keras_models.registry import PRESETS
from keras_models.system.errors import CheckpointError, ModelError

MULTI_ADDS_X4 = 33_785_862_912
SMALL = {"scale": 2, "features": 12, "distilled": 8, "blocks": 2}


@pytest.mark.parametrize(("scale", "training", "deploy"), [(2, 651_444, 581_460), (3, 657_939, 587_955), (4, 667_032, 597_048)])
def test_parameters(scale, training, deploy):
    model = build_preset(PRESETS[f"mafdn-x{scale}"])
    assert model.count_params() == training
    assert fold(model).count_params() == deploy


def test_multi_adds_of_all_networks_from_one_counter():
    assert multi_adds(graph_of(fold(build_preset(PRESETS["mafdn-x4"])), 180, 320)) == MULTI_ADDS_X4
    assert multi_adds(graph_of(fold(build_preset(PRESETS["lkdn-x4"])), 180, 320)) == PRESETS["lkdn-x4"].multi_adds


def test_folds_exactly_for_any_weights():
    model = randomise(MAFDN(**SMALL))
    deploy = fold(model)
    assert fold_error(model, deploy) <= 1e-5
    weights = model.get_weights()
    index = next(i for i, v in enumerate(model.variables) if v.name == "D")
    weights[index] = weights[index] + 0.01  # the control: another D is another function
    model.set_weights(weights)
    assert fold_error(model, deploy) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_presets_fold_exactly(scale):
    model = randomise(build_preset(PRESETS[f"mafdn-x{scale}"]))
    assert fold_error(model, fold(model)) <= 1e-5


def test_checkpoint_names_and_shapes():
    state = state_of(build_preset(PRESETS["mafdn-x4"]))
    assert len(state) == 304
    assert state["blocks.5.r3.W"].shape == (48, 48, 9)
    assert state["blocks.0.r1.D"].shape == (48, 9, 9)
    assert state["blocks.0.ca1.fc1.weight"].shape == (6, 24, 1, 1)
    assert state["blocks.2.sa4.conv.weight"].shape == (1, 2, 7, 7)
    assert state["fuse.weight"].shape == (48, 288, 1, 1)
    assert state["up.bias"].shape == (48,)
    assert len(state_of(fold(build_preset(PRESETS["mafdn-x4"])))) == 286


@pytest.mark.parametrize("form", ["do", "plain"])
def test_checkpoint_comes_back_as_the_same_network(form):
    model = randomise(MAFDN(**SMALL, convolution=form))
    state = state_of(model)
    again = model_from_state(state, "test")
    assert again.get_config() == {**model.get_config(), "name": again.name}
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_checkpoint_with_the_librarys_constant():
    model = randomise(MAFDN(**SMALL))
    diagonal = np.tile(np.eye(9, dtype=np.float32), (12, 1, 1))
    state = {**state_of(model), "blocks.0.r1.d_diag": diagonal}
    load_state(MAFDN(**SMALL), state)
    with pytest.raises(CheckpointError, match="left over blocks.0.r1.d_diag"):
        load_state(MAFDN(**SMALL), {**state, "blocks.0.r1.d_diag": diagonal + 1})


def test_keras_file_keeps_the_network(tmp_path):
    model = randomise(MAFDN(**SMALL, negative_slope=0.1, epsilon=1e-4))
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    x = np.random.default_rng(0).random((1, 9, 11, 3), np.float32)
    assert again.get_config() == model.get_config()
    assert np.array_equal(ops.convert_to_numpy(model(x)), ops.convert_to_numpy(again(x)))


def test_against_the_specification_written_with_numpy():
    """One block and its surroundings, written a second time from the specification, in float64."""
    model = randomise(MAFDN(scale=2, features=12, distilled=8, blocks=1, convolution="plain"), seed=3)
    state = {name: array.astype(np.float64) for name, array in state_of(model).items()}
    x = np.random.default_rng(1).random((7, 9, 3))
    got = ops.convert_to_numpy(model(x[None].astype("float32")))[0]
    assert np.abs(got - _specification(state, x.transpose(2, 0, 1), 2).transpose(1, 2, 0)).max() <= 1e-5


def _specification(state, image, scale):
    def conv(name, x):
        kernel = state[f"{name}.weight"]
        side = kernel.shape[-1]
        padded = np.pad(x, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        return np.einsum("oikl,ihwkl->ohw", kernel, windows) + state[f"{name}.bias"][:, None, None]

    def act(x):
        return np.where(x > 0, x, 0.05 * x)

    def gate(z):
        return 1 / (1 + np.exp(-z))

    def pixel(name, z):
        return z * gate(conv(f"{name}.conv", z))

    def channel(name, z):
        contrast = z.mean((1, 2), keepdims=True) + np.sqrt(z.var((1, 2), keepdims=True) + 1e-5)
        return z * gate(conv(f"{name}.fc2", np.maximum(conv(f"{name}.fc1", contrast), 0)))

    def spatial(name, z):
        return z * gate(conv(f"{name}.conv", np.stack([z.mean(0), z.max(0)])))

    head = r = conv("head", image)
    branches = []
    for i in (1, 2, 3):
        branches.append(act(conv(f"blocks.0.d{i}", r)))
        r = pixel(f"blocks.0.pa{i}", act(conv(f"blocks.0.r{i}", r) + r))
    branches.append(act(conv("blocks.0.d4", r)))
    gated = [spatial(f"blocks.0.sa{i}", channel(f"blocks.0.ca{i}", d)) for i, d in enumerate(branches, 1)]
    block = head + conv("blocks.0.fuse", np.concatenate(gated))
    tail = conv("tail", pixel("pa", act(conv("fuse", block)))) + head
    up = conv("up", tail)
    _, height, width = up.shape
    shuffled = up.reshape(3, scale, scale, height, width).transpose(0, 3, 1, 4, 2)
    return shuffled.reshape(3, height * scale, width * scale)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("image", ["flat", "black", "noise"])
def test_gradients_are_finite(precision, image):
    import tensorflow as tf

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = MAFDN(**SMALL)
    finally:
        keras.config.set_dtype_policy(before)
    noise = np.random.default_rng(0).random((1, 16, 16, 3))
    value = {"flat": np.full_like(noise, 0.5), "black": np.zeros_like(noise), "noise": noise}[image]
    for layer in model._flatten_layers():  # zero biases: black then gives exactly flat maps
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(ops.zeros_like(layer.bias))
    with tf.GradientTape() as tape:
        loss = ops.mean(ops.square(ops.cast(model(value.astype("float32")), "float32") - 0.3))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(g is not None and np.isfinite(ops.convert_to_numpy(g)).all() for g in gradients)


def test_without_epsilon_a_flat_map_has_no_gradient():
    """The control of the test above."""
    import tensorflow as tf

    x = tf.Variable(np.full((1, 4, 4, 2), 0.5, np.float32))
    with tf.GradientTape() as tape:
        loss = ops.sum(Contrast(epsilon=0.0)(x))
    assert not np.isfinite(tape.gradient(loss, x).numpy()).all()


def test_statistics_of_a_large_half_precision_map():
    """1.5 everywhere: a sum in half precision stalls at 4096 or overflows; the contrast is 1.5 plus sqrt(epsilon)."""
    x = np.full((1, 180, 320, 1), 1.5, np.float16)
    assert abs(float(ops.convert_to_numpy(Contrast()(x)).item()) - 1.5 - 1e-5**0.5) < 2e-3
    spread = np.where(np.arange(180 * 320).reshape(1, 180, 320, 1) % 2, 300, -300).astype(np.float16)
    assert abs(float(ops.convert_to_numpy(Contrast()(spread)).item()) - 300) < 1


def test_graph_is_the_network():
    model = randomise(MAFDN(**SMALL, convolution="plain"))
    x = np.random.default_rng(0).random((1, 12, 15, 3), np.float32)
    again = to_keras(graph_of(model), None, None)(x)["upscaled"]
    assert np.abs(ops.convert_to_numpy(again) - ops.convert_to_numpy(model(x))).max() <= 1e-5


@pytest.fixture(scope="module")
def x4(tmp_path_factory):
    """MAFDN x4 with fresh weights: (deploy form, its float32 file of 64x64 tiles)."""
    folder = tmp_path_factory.mktemp("mafdn")
    keras.utils.set_random_seed(0)
    model = build_preset(PRESETS["mafdn-x4"])
    model.save(folder / "m.keras")
    convert(folder / "m.keras", folder / "m.tflite", "float32", (64, 64))  # refuses more than one partition, and half overflow
    return fold(model), folder / "m.tflite"


def test_tflite_equals_keras(x4):
    deploy, path = x4
    engine = CpuEngine(path)
    for seed in range(3):
        image = np.random.default_rng(seed).random((64, 64, 3), np.float32)
        wanted = np.clip(ops.convert_to_numpy(deploy(image[None]))[0], 0, 1)
        assert np.abs(engine.run(image) - wanted).max() <= 2e-5


def test_refuses_bad_arguments():
    for bad in ({"scale": 5}, {"blocks": 0}, {"reduction": 50}, {"convolution": "else"}):
        with pytest.raises(ModelError, match="MAFDN"):
            MAFDN(**bad)
