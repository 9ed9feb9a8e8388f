"""A network's values are noticed: flat colours and dead leaves tell them; what nothing explains is said, and verified never."""

import numpy as np
import pytest
from support.command_line import one_line_error, run_here
from support.photos import save_pillow, smooth
from support.tiny_models import convert

from conversion.engines.colours import Colours, measure_colours
from conversion.engines.picture import measure_picture
from conversion.engines.values import NOTHING_SAID, PLAIN, Said, Values
from conversion.measuring.verify import verify_tflite
from keras_models.system.errors import ModelError

SIZE = (48, 48)


def doubled(image):
    return image.repeat(2, 0).repeat(2, 1)


def measured(infer, said=NOTHING_SAID, channels=3, likely=PLAIN):
    return measure_colours("m", infer, channels, SIZE, said, likely)


@pytest.mark.parametrize(
    ("infer", "values"),
    [
        (doubled, PLAIN),
        (lambda x: doubled(x).clip(0, 255).round(), Values("0..255", "0..255")),
        (lambda x: doubled(np.where(np.abs(x - 0.5) < 0.45, 3 * x - 1.4, 0) if x.max() <= 1 else x), Values("0..255", "0..255")),
        (lambda x: doubled(x) / 255, Values("0..255", "0..1")),
        (lambda x: 255 * doubled(x), Values("0..1", "0..255")),
        (lambda x: (doubled(x) + 1) / 2, Values("-1..1", "0..1")),
    ],
    ids=["plain", "rounded 0..255", "0..255", "255 to 1", "1 to 255", "-1..1 to 0..1"],
)
def test_values_are_found(infer, values):
    found = measured(infer)
    assert found.values == values and found.error <= 0.05
    assert bool(found.note) == (values != PLAIN)


def test_a_mean_that_was_to_be_subtracted():
    """Of 0..255 it is clear; in 0..1 it may be an offset that is nothing in 0..255."""
    mean = np.float32([0.4488, 0.4371, 0.404])
    assert measured(lambda x: doubled(x) + mean, Said("0..1")).values == Values(mean=(0.449, 0.437, 0.404))
    with pytest.raises(ModelError, match="say `range` 0..255 or `range` 0..1"):
        measured(lambda x: doubled(x) + mean)
    found = measured(lambda x: doubled(x + 255 * mean).round(), Said("0..255"))
    assert found.values.taken == "0..255" and "less a mean" in found.note
    assert np.abs(np.array(found.values.mean) - mean).max() < 3e-3, "rounded on the way"


def test_a_mean_and_a_deviation():
    """Values as classifiers take them, (x - mean) / deviation; a network that only darkens is not taken for one."""
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    found = measured(lambda x: (doubled(x) * deviation + mean).clip(0, 1))
    assert found.values == Values(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225)) and "divided by" in found.note
    photo = smooth(24, 24).astype(np.float32) / 255
    assert np.abs(found.values.to_network(photo) - (photo - mean) / deviation).max() < 1e-5
    dark = measured(lambda x: doubled(x) / 2)
    assert dark.values.deviation == (1, 1, 1) and dark.error > 0.2 and "wrong colours" in dark.note


def test_exchanged_channels_have_to_be_told():
    def exchanged(x):
        return doubled(x[..., ::-1])

    with pytest.raises(ModelError, match="red comes back as blue.*`order` rgb.*`order` bgr"):
        measured(exchanged)
    assert measured(exchanged, Said(order="rgb")).values == Values(swapped_out=True)
    assert measured(exchanged, Said(order="bgr")).values == Values(swapped_in=True)
    assert measured(doubled, Said(order="bgr")).values == Values(swapped_in=True, swapped_out=True)


def test_what_two_ranges_explain_has_to_be_told():
    """An offset of 0.08 may be the network's own, or an offset of 20 in 0..255."""
    with pytest.raises(ModelError, match="say `range` 0..255 or `range` 0..1"):
        measured(lambda x: doubled(x) + 0.08 * np.sin(9 * doubled(x)) + 0.03)
    assert measured(lambda x: doubled(x) + 0.08, Said("0..1")).values.taken == "0..1"
    assert measured(lambda x: doubled(x) + 0.03).values == PLAIN, "control: a small one is nobody's business"


@pytest.mark.parametrize(
    "infer", [lambda x: 1 - doubled(x), lambda x: 0 * doubled(x) + 0.5, lambda x: doubled(x) * np.nan, lambda x: 0.5 * doubled(x)]
)
def test_what_nothing_explains_is_said(infer):
    found = measured(infer)
    assert found.error > 0.05 and "a flat colour comes back" in found.note and found.values == PLAIN


def test_a_network_of_brightness_has_no_order():
    assert measured(lambda x: doubled(x), Said(order="bgr"), channels=1) == Colours(PLAIN, pytest.approx(0, abs=1e-6))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda x: doubled(x), ""),
        (lambda x: doubled(x) + 0.05 * np.random.default_rng(0).standard_normal((96, 96, 3)), ""),
        (lambda x: doubled(x.swapaxes(0, 1)), "rows and columns exchanged"),
        (lambda x: doubled(x[::-1]), "upside down"),
        (lambda x: doubled(x[:, ::-1]), "mirrored"),
        (lambda x: doubled(np.roll(x, 2, 1)), "moved by 2 pixels to the right and 0 down"),
        (lambda x: np.random.default_rng(0).random((96, 96, 3)), "not the picture enlarged"),
        (lambda x: doubled(x) * np.nan, "no number"),
    ],
)
def test_the_picture_is_looked_at(run, words):
    found = measure_picture(run, SIZE, 2)
    assert words in found if words else not found


def network(change):
    def graph(image):
        import tensorflow as tf

        large = tf.nn.depth_to_space(tf.nn.conv2d(image, np.tile(np.eye(3, dtype=np.float32), (1, 4))[None, None], 1, "SAME"), 2)
        return {"upscaled": change(large)}

    return graph


@pytest.fixture(scope="module")
def odd_file(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("odd"), {}

    def write(name, change):
        if name not in made:
            made[name] = folder / f"{name}.tflite"
            made[name].write_bytes(convert(network(change), (1, 48, 48, 3)))
        return made[name]

    return write


def inverted(x):
    return 1 - x


def exchanged(x):
    import tensorflow as tf

    return tf.reverse(x, [3])


def moved(x):
    import tensorflow as tf

    return tf.pad(x[:, :-4], [[0, 0], [4, 0], [0, 0], [0, 0]])


def rounded(x):
    import tensorflow as tf

    return tf.round(x)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (inverted, "a flat colour comes back 0.80 of white off"),
        (moved, "moved by 0 pixels to the right and 2 down"),
        (rounded, "it takes 0..255"),
    ],
)
def test_verify_never_calls_them_ok(change, words, odd_file):
    found = verify_tflite(odd_file(change.__name__, change), threads=1)
    assert [problem for problem in found.problems if words in problem], found.problems
    if change is rounded:
        assert not verify_tflite(odd_file("rounded", rounded), threads=1, values="0..255").problems


def test_upscale_says_what_it_saw(odd_file, tmp_path, capfd, monkeypatch):
    photo = save_pillow(tmp_path / "p.png", smooth(40, 40))

    def upscaled(path, *more):
        return run_here(capfd, monkeypatch, "upscale", photo, tmp_path / "o.png", "--overwrite", "--model", path, *more)

    assert "a flat colour comes back 0.80" in upscaled(odd_file("inverted", inverted)).stderr
    assert "taken as a network of values 0..255" in upscaled(odd_file("rounded", rounded)).stderr
    assert not upscaled(odd_file("rounded", rounded), "--range", "0..255").stderr
    assert "red comes back as blue" in one_line_error(upscaled(odd_file("exchanged", exchanged)))
    assert not upscaled(odd_file("exchanged", exchanged), "--order", "rgb").stderr
    assert "give 0..1, 0..255, -1..1" in one_line_error(upscaled(odd_file("rounded", rounded), "--range", "0..2"))
