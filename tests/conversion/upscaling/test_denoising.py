"""How much noise is removed: a blend of the catalogue's pair, through the whole command."""

import numpy as np
import pytest
from PIL import Image
from support.command_line import one_line_error, run, run_here
from support.networks import randomise
from support.photos import noise_photo
from support.weights_server import weights_server

from conversion.upscaling.denoising import denoised
from keras_models.catalogue import CATALOGUE
from keras_models.checkpoints import fetching
from keras_models.checkpoints.blending import blend
from keras_models.checkpoints.loading import load_model
from keras_models.checkpoints.network_weights import state_of
from keras_models.checkpoints.state_dict import read_state
from keras_models.lkdn import LKDN
from keras_models.metrics import to_uint8
from keras_models.system.errors import ModelError


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A server's two checkpoints of one tiny network; yields the server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MOBILE_SR_WEIGHTS", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "_watch", fetching._silently)
    with weights_server() as server:
        for seed, name in enumerate(("strong", "weak")):
            np.savez(tmp_path / "made.npz", **state_of(randomise(LKDN(2, 6, 4, 1), seed)))
            other = {"denoise": "tiny-x2@weak"} if name == "strong" else {}
            data = (tmp_path / "made.npz").read_bytes()
            entry = server.publish(f"tiny-x2@{name}", data, file=f"{name}.npz", **other)
            monkeypatch.setitem(CATALOGUE, entry.name, entry)
        yield server


def test_a_strength_is_a_share(pair):
    made = read_state(denoised("tiny-x2@strong", 0.25))
    expected = state_of(blend(load_model("tiny-x2@strong"), load_model("tiny-x2@weak"), 0.75))
    assert made.keys() == expected.keys()
    assert all(np.array_equal(made[name], array) for name, array in expected.items())
    assert len(pair.asked) == 2
    assert (denoised("tiny-x2@strong", 1), denoised("tiny-x2@strong", 0)) == ("tiny-x2@strong", "tiny-x2@weak")


def test_upscale_with_a_strength(pair, tmp_path, capfd, monkeypatch):
    photo = noise_photo(tmp_path)
    options = ("--model", "tiny-x2@strong", "--denoise", "0.25")
    done = run_here(capfd, monkeypatch, "upscale", photo, "-o", tmp_path / "out.png", *options)
    assert done.returncode == 0, done.stderr
    between = blend(load_model("tiny-x2@strong"), load_model("tiny-x2@weak"), 0.75)
    with Image.open(tmp_path / "out.png") as made, Image.open(photo) as source:
        whole = np.asarray(between(np.asarray(source, np.float32)[None] / 255))[0]
        difference = np.asarray(made).astype(int) - to_uint8(whole)
    assert np.abs(difference).max() <= 1
    again = run_here(capfd, monkeypatch, "upscale", photo, "-o", tmp_path / "again.png", *options)
    assert again.returncode == 0 and len(pair.asked) == 2


def test_models_without_a_pair_are_refused(tmp_path):
    with pytest.raises(ModelError, match="one strength only: give as `model` compact-x4@general"):
        denoised("lkdn-s-x4", 0.5)
    with pytest.raises(ModelError, match="one strength only"):
        denoised("compact-x4@general-wdn", 0.5)
    with pytest.raises(ModelError, match="`denoise` 1.5: give 0"):
        denoised("compact-x4@general", 1.5)
    assert "one strength only" in one_line_error(run("upscale", noise_photo(tmp_path), "--denoise", "0.5"))
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
