"""Between two networks: weight by weight, and only of one kind."""

import numpy as np
import pytest
from support.command_line import one_line_error, run_here
from support.networks import randomise

from keras_models.checkpoints.blending import blend
from keras_models.checkpoints.loading import load_model
from keras_models.checkpoints.network_weights import state_of
from keras_models.folding import fold
from keras_models.lkdn import LKDN
from keras_models.mafdn import MAFDN
from keras_models.system.errors import ModelError

TINY = {"scale": 2, "features": 6, "attention_channels": 4, "blocks": 1}


def tiny(seed, **options):
    return randomise(LKDN(**TINY, **options), seed)


@pytest.mark.parametrize("options", [{}, {"step": "BSConvU_rep", "upsampler": "rep"}, {"step": "BSConvU_idt"}])
def test_every_weight_lies_between(options):
    first, second = tiny(1, **options), tiny(2, **options)
    blended = blend(first, second, 0.3)
    assert {**blended.get_config(), "name": ""} == {**first.get_config(), "name": ""}
    for weight, one, other in zip(blended.get_weights(), first.get_weights(), second.get_weights()):
        np.testing.assert_allclose(weight, 0.7 * one + 0.3 * other, rtol=1e-6, atol=1e-7)
    ends = [state_of(blend(first, second, share)) for share in (0, 1)]
    for end, whole in zip(ends, (first, second)):
        assert all(np.array_equal(end[name], array) for name, array in state_of(whole).items())


def test_two_kinds_have_nothing_between():
    with pytest.raises(ModelError, match="a LKDN and a MAFDN have no network between them"):
        blend(tiny(1), MAFDN(2, 4, 2, 1, reduction=2), 0.5)
    with pytest.raises(ModelError, match=r"not one network, features 6 and 8: give two of one size"):
        blend(tiny(1), LKDN(**{**TINY, "features": 8}), 0.5)
    training = tiny(1, step="BSConvU_rep", upsampler="rep")
    with pytest.raises(ModelError, match="fold both, if one is in training form"):
        blend(training, fold(training), 0.5)
    with pytest.raises(ModelError, match="a share of 1.5: give 0"):
        blend(tiny(1), tiny(2), 1.5)


def test_command(tmp_path, capfd, monkeypatch):
    def here(*words):
        return run_here(capfd, monkeypatch, *words)

    tiny(1).save(tmp_path / "a.keras")
    np.savez(tmp_path / "b.npz", **state_of(tiny(2)))
    command = ["blend", tmp_path / "a.keras", tmp_path / "b.npz", "-o"]
    done = here(*command, tmp_path / "c.safetensors", "--share", "0.25")
    assert done.returncode == 0 and "0.75 of " in done.stdout and "and 0.25 of" in done.stdout, done.stderr
    made, expected = state_of(load_model(tmp_path / "c.safetensors")), state_of(blend(tiny(1), tiny(2), 0.25))
    assert all(np.array_equal(made[name], array) for name, array in expected.items())
    assert "--share -1: give 0" in one_line_error(here(*command, tmp_path / "d.keras", "--share", "-1"))
    assert "must end in .keras" in one_line_error(here(*command, tmp_path / "d.tflite", "--share", "0.5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.npz", "c.safetensors"]
