"""A run on a device in small, for tests/keras_models/training/test_device_run.py: prints one JSON object. KERAS_BACKEND is jax or torch."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_models.data.photo_set import load_photos
from keras_models.system.errors import TrainingError
from keras_models.training import device_steps, torch_steps
from keras_models.training.device_photos import to_device
from keras_models.training.device_steps import Form, shift_depthwise
from keras_models.training.run import build_student, optimizer_for
from keras_models.training.settings import Settings
from keras_models.training.timed_run import STEPS, train_for
from support.tiny_training import TINY, make_photos, register_tiny

register_tiny()
SETTINGS = Settings(TINY, steps=100, batch=3, patch=8, lr=1e-3, warmup=0, seed=5, ema=0.9, form="deploy")
BACKEND = keras.backend.backend()
Steps = STEPS[BACKEND]
patches_of = {"jax": device_steps.patches_of, "torch": torch_steps.patches_of}[BACKEND]
found = {}


def patches_are_of_the_photos(photos):
    low, high = (array(part) for part in patches_of(to_device(photos, 8), replace(SETTINGS, batch=40), 0))
    scale = photos.scale
    windows = {}
    for photo in photos.photos:
        for y in range(photo.low.shape[0] - 7):
            for x in range(photo.low.shape[1] - 7):
                small = photo.low[y : y + 8, x : x + 8]
                large = photo.high[y * scale : (y + 8) * scale, x * scale : (x + 8) * scale]
                for small_turned, large_turned in zip(turns(small), turns(large)):
                    windows[small_turned.tobytes()] = large_turned
    pairs = [windows.get(np.rint(one * 255).astype(np.uint8).tobytes()) for one in low]
    found["patches"] = len({pair.tobytes() for pair in pairs if pair is not None})
    found["pairs"] = all(pair is not None and np.array_equal(pair, np.rint(one * 255)) for pair, one in zip(pairs, high))


def turns(image):
    for picture in (image, image.swapaxes(0, 1)):
        yield from (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1])


def steps_are_those_of_keras(photos):
    """Four steps in two calls, against Keras' own training on the same batches."""
    device = to_device(photos, 8)
    steps = Steps(SETTINGS, Form(steps=2), device)
    for first in (0, 2):
        steps.run(1e-3, first)
    steps.give()
    student, _ = build_student(SETTINGS)
    student.compile(optimizer=optimizer_for(SETTINGS, 1e-3), jit_compile=BACKEND == "jax")
    for step in range(4):
        student.train_on_batch(*patches_of(device, SETTINGS, step))
    found["weights"] = largest(steps.student.network.variables, student.network.variables)
    found["averages"] = largest(steps.averaged.variables, student.averages())
    found["moved"] = largest(steps.student.network.variables, build_student(SETTINGS)[0].network.variables)
    shifted = Steps(SETTINGS, Form(shifted=True, steps=4), device)
    shifted.run(1e-3, 0)
    shifted.give()
    found["shifted"] = largest(shifted.student.network.variables, student.network.variables)
    image = np.random.default_rng(0).random((1, 9, 11, 3), np.float32)
    before = array(student(image))
    shift_depthwise(student)
    found["shifted_output"] = float(np.abs(array(student(image)) - before).max())


def largest(some, others):
    return max(float(np.abs(array(a) - array(b)).max()) for a, b in zip(some, others, strict=True))


def array(value):
    return keras.ops.convert_to_numpy(value).copy()


def runs_go_on(photos, folder):
    """A clock that moves by a second whenever it is looked at: nothing here depends on the machine."""
    ticks = iter(range(10**6))
    said = []
    results = [
        train_for(40, SETTINGS, photos, folder / "run", photos, said.append, [Form()], lambda: float(next(ticks))) for _ in range(2)
    ]
    found["steps"] = [result.steps for result in results]
    found["said"] = said
    found["files"] = sorted(path.name for path in (folder / "run").iterdir())
    found["scores"] = [result.last_psnr_y for result in results]
    try:
        train_for(9, SETTINGS, photos, folder / "run", None, said.append, [Form("float8")], lambda: float(next(ticks)))
    except TrainingError as error:
        found["no_form"] = str(error)


def main(folder):

    make_photos(folder / "photos")
    photos = load_photos(folder / "photos", 2, folder / "cache")
    patches_are_of_the_photos(photos)
    steps_are_those_of_keras(photos)
    runs_go_on(photos, folder)
    found["backend"], found["tensorflow"] = BACKEND, "tensorflow" in sys.modules
    sys.stdout.write(json.dumps(found) + "\n")


main(Path(sys.argv[1]))
