"""The checkpoint of another network, or one whose facts are of other kinds, is one line and no traceback; nothing is put back of it."""

import json

import numpy as np
import pytest

from keras_models.system.errors import TrainingError
from keras_models.training.run_folder import Checkpoint, RunFiles

ARRAYS = [np.ones((2, 3), np.float32), np.zeros(4, np.int64)]
FACTS = {"seconds": 1.5, "best": 30.25, "rows": [{"step": 2, "loss": 0.1}]}


class Variable:
    """As Keras' and TensorFlow's: a shape, and an assignment that refuses another."""

    def __init__(self, array):
        self.shape, self.value = array.shape, None

    def assign(self, array):
        assert array.shape == self.shape
        self.value = array


def restored(folder, arrays=ARRAYS, facts=FACTS, step=2):
    files, variables = RunFiles(folder), [Variable(array) for array in ARRAYS]
    files.write(Checkpoint(step, arrays, facts))
    return files.restore(files.read(), variables), variables


def test_control_a_good_one_is_put_back(tmp_path):
    for best in (30.25, None):
        (seconds, found, rows), variables = restored(tmp_path, facts=FACTS | {"best": best})
        assert (seconds, found, rows) == (1.5, best, FACTS["rows"])
        assert all(np.array_equal(variable.value, array) for variable, array in zip(variables, ARRAYS))


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"arrays": ARRAYS[:1]}, "holds 1 arrays, this version trains 2"),
        ({"arrays": [ARRAYS[0].T, ARRAYS[1]]}, "other shapes"),
        ({"arrays": [np.array([["a"] * 3] * 2), ARRAYS[1]]}, "other shapes"),
        ({"arrays": [ARRAYS[0] * np.nan, ARRAYS[1]]}, "no numbers"),
        *(({"facts": {name: fact for name, fact in FACTS.items() if name != gone}}, "how far") for gone in FACTS),
        *(({"facts": FACTS | {name: wrong}}, "how far") for name, wrong in [("seconds", "x"), ("best", []), ("rows", {}), ("rows", [{}])]),
        ({"facts": FACTS | {"rows": [{"step": 1, "val_psnr_y": "x"}]}}, "how far"),
        ({"step": -1}, "how far"),
        ({"step": "x"}, "how far"),
    ],
)
def test_a_spoilt_one_is_one_line(tmp_path, spoilt, words):
    with pytest.raises(TrainingError, match=words) as caught:
        restored(tmp_path, **spoilt)
    assert "last.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_facts_that_are_no_dictionary(tmp_path):
    np.savez(tmp_path / "last.npz", facts=np.array(json.dumps([1])))
    with pytest.raises(TrainingError, match="damaged checkpoint"):
        RunFiles(tmp_path).read()
