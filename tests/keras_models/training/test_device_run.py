"""Training for so many seconds on a device (here a CPU), in a process with that backend: patches, steps, schedule, going on.

PyTorch is no package of this project: its half runs where it is installed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_models.data.photo_set import load_photos
from keras_models.system.errors import TrainingError
from keras_models.training.timed_run import train_for

PROGRAM = Path(__file__).parents[2] / "support" / "device_run_program.py"


@pytest.fixture(scope="module", params=["jax", "torch"])
def found(tmp_path_factory, request):
    if request.param == "torch":
        pytest.importorskip("torch")
    tests = PROGRAM.parents[1]  # which has a folder keras_models too: the package's own comes first
    environment = {**os.environ, "KERAS_BACKEND": request.param, "PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)])}
    folder = tmp_path_factory.mktemp("device")
    done = subprocess.run([sys.executable, PROGRAM, folder], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_patches_are_places_of_the_photos_and_their_pairs(found):
    assert found["pairs"] and found["patches"] > 35  # of 40


def test_many_steps_in_a_call_are_those_of_keras(found):
    assert found["moved"] > 1e-3  # four steps of Adam at that rate
    assert max(found["weights"], found["averages"]) < 1e-6


def test_shifted_pictures_are_the_same_convolution(found):
    assert max(found["shifted"], found["shifted_output"]) < 1e-6


def test_the_stable_part_goes_on_and_the_decay_ends_in_time(found):
    """The clock moves by a second a look, so it is known what there is time for."""
    first, second = found["steps"]
    stable = [line for line in found["said"] if line.endswith("s left")]
    assert stable[0].startswith("step 0:") and 0 < int(stable[1].split()[1][:-1]) < first < second  # goes on from before the decay
    assert {"best.keras", "last.keras", "last.npz", "log.csv", "run.json", "curves.png"} <= set(found["files"])
    assert min(found["scores"]) > 20


def test_a_form_that_does_not_work_is_left_out_and_none_is_an_error(found):
    assert found["no_form"].startswith("no way to compute the step works on this device")
    assert found["said"][-1].startswith("probe: Form(precision='float8'")


def test_other_backends_are_refused(tmp_path):
    from support.tiny_training import make_photos, tiny_settings

    photos = load_photos(make_photos(tmp_path / "photos"), 2, tmp_path / "cache")
    with pytest.raises(TrainingError, match="the backend is tensorflow: set KERAS_BACKEND=jax, or torch"):
        train_for(1, tiny_settings(), photos, tmp_path / "run")
