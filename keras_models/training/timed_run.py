"""Training for so many seconds on a device of JAX or PyTorch: a probe takes the fastest form, a stable part goes on, a short decay
ends in time.

The schedule is WSD by the clock. What the stable part reached is the checkpoint, so a later run continues it, whatever came of
the decay; what the decay reached is `last.keras`, and `best.keras` if it is the best so far.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from keras_models.data.photo_set import PhotoSet
from keras_models.system.errors import TrainingError, one_line
from keras_models.training.device_photos import DevicePhotos, to_device
from keras_models.training.device_steps import DeviceSteps, Form
from keras_models.training.plots import draw_curves
from keras_models.training.run import Result
from keras_models.training.run_folder import Checkpoint, RunFiles
from keras_models.training.settings import Settings
from keras_models.training.torch_steps import TorchSteps
from keras_models.training.validation import validate

FORMS = (Form(shifted=True), Form(), Form("mixed_bfloat16", shifted=True), Form("mixed_bfloat16"))
_PROBE_S, _SAVE_S = 60.0, 60.0
_MANY, _LONGEST_CALL_S = 32, 5.0
_DECAY = 0.2  # of the time that is left after the probe
_FLOOR = 0.002  # of the rate, at the end of the decay, as in `keras_models.training.schedules`

STEPS: dict[str, type[DeviceSteps | TorchSteps]] = {"jax": DeviceSteps, "torch": TorchSteps}
"""By the backend of Keras."""

Steps = DeviceSteps | TorchSteps
Say = Callable[[str], None]
Clock = Callable[[], float]


def train_for(
    seconds: float,
    settings: Settings,
    photos: PhotoSet,
    out: Path | str,
    validation: PhotoSet | None = None,
    say: Say = print,
    forms: Sequence[Form] = FORMS,
    clock: Clock = time.monotonic,
) -> Result:
    """Trains, or goes on with, a run on the first device of Keras' backend.

    Writes into `out` what `train` writes. Of the settings, `steps`, `schedule`, `decay`, `precision` and `interval` say nothing here.

    Args:
        seconds: that steps may take, the probe included; validation and the last files come after them.
        settings: see `keras_models.training.settings`.
        photos: to train on, kept on the device.
        out: the run's folder; if it holds a run of this kind, its stable part goes on.
        validation: photos to measure PSNR-Y on at the end.
        say: told how it goes, a line at a time.
        forms: ways to compute the step, of which the fastest is taken.
        clock: seconds.

    Raises:
        TrainingError: another backend than JAX and PyTorch, unusable data, another run in the folder, weights that became NaN,
            no form that works.
        OutputError: a full disk, a folder that cannot be written.
    """
    if keras.backend.backend() not in STEPS:
        raise TrainingError(
            f"the backend is {keras.backend.backend()}: set KERAS_BACKEND=jax, or torch, where photos and steps stay on the device"
        )
    if settings.degradation != "bicubic" or settings.early:
        what = f"early {settings.early}" if settings.early else f"degradation {settings.degradation}"
        raise TrainingError(f"{what}: on a device patches are cut from pairs as they are: give bicubic, and early 0")
    files = RunFiles(out)
    with files.locked():
        return _TimedRun(settings, photos, files, say, clock).go(clock() + seconds, validation, forms)


class _TimedRun:
    def __init__(self, settings: Settings, photos: PhotoSet, files: RunFiles, say: Say, clock: Clock) -> None:
        self.settings, self.files, self.say, self.clock = settings, files, say, clock
        self.identity = {"timed": True, "settings": {**asdict(settings), "betas": list(settings.betas)}, "data": photos.fingerprint}
        self.photos = photos
        self.step, self.trained_s = 0, 0.0
        self.best: float | None = None
        self.rows: list[dict[str, float]] = []

    def go(self, end: float, validation: PhotoSet | None, forms: Sequence[Form]) -> Result:
        checkpoint = self.files.read()
        if checkpoint and checkpoint.facts.get("identity") != self.identity:
            raise TrainingError(f"{self.files.folder}: holds another run: give the same settings and photos, or another `out`")
        _, steps = fastest(self.settings, to_device(self.photos, self.settings.patch), forms, self.say, self.clock)
        if checkpoint:
            self.trained_s, self.best, self.rows = self.files.restore(checkpoint, steps.variables)
            self.step = checkpoint.step
        steps.take()
        self.say(f"step {self.step}: {steps.form}, {max(0.0, end - self.clock()):.0f} s left")
        self._stable(steps, end - _DECAY * max(0.0, end - self.clock()))
        self._decay(steps, end)
        return self._finish(steps, validation)

    def _stable(self, steps: Steps, end: float) -> None:
        """Steps at the full rate; the checkpoint is what they reach."""
        saved = self.clock()
        while self.clock() < end:
            warm = min(1.0, (self.step + 1) / max(1, self.settings.warmup))
            loss = self._call(steps, self.settings.lr * warm)
            if self.clock() - saved > _SAVE_S:
                self._save(steps, loss)
                saved = self.clock()
        self._save(steps, None)

    def _decay(self, steps: Steps, end: float) -> None:
        """As many calls as there is time for, down to next to nothing by a cosine."""
        began = self.clock()
        done, loss = 0.0, None
        while done < 1:
            loss = self._call(steps, self.settings.lr * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * done))))
            now = self.clock()
            done = 1.0 if now >= end else (now - began) / max(end - began, 1e-9)
        if loss is not None:
            self.say(f"step {self.step}: decayed, loss {loss:.5f}")

    def _call(self, steps: Steps, rate: float) -> float:
        began = self.clock()
        loss = steps.run(rate, self.step)
        if not math.isfinite(loss):
            raise TrainingError(f"{self.files.folder}: the loss became {loss} at step {self.step}: start anew with a lower `lr`")
        self.step += steps.form.steps
        self.trained_s += self.clock() - began
        return loss

    def _save(self, steps: Steps, loss: float | None) -> None:
        steps.give()
        if loss is not None:
            self.rows.append({"step": self.step, "seconds": round(self.trained_s, 1), "loss": loss, "lr": self.settings.lr})
            self.say(f"step {self.step}: {self.trained_s:.0f} s, loss {loss:.5f}")
        arrays = [keras.ops.convert_to_numpy(v) for v in steps.variables]
        facts = {"identity": self.identity, "seconds": self.trained_s, "best": self.best, "rows": self.rows}
        self.files.write(Checkpoint(self.step, arrays, facts))
        self.files.write_log(self.rows)

    def _finish(self, steps: Steps, validation: PhotoSet | None) -> Result:
        steps.give()
        score = validate(steps.averaged, validation) if validation else None
        self.files.replace("last.keras", steps.averaged.save)
        if score is None or self.best is None or score > self.best:
            self.files.replace("best.keras", steps.averaged.save)
        if score is not None:
            self.best = score if self.best is None else max(score, self.best)
            row = {"step": self.step, "seconds": round(self.trained_s, 1), "lr": 0.0, "val_psnr_y": score}
            self.rows.append(row)
            self._tell_checkpoint()
        self.files.write_log(self.rows)
        self.files.write_json("run.json", {"schema": 1, **self.identity, "form": asdict(steps.form), "steps": self.step})
        self.files.replace("curves.png", lambda path: draw_curves({self.settings.preset: self.rows}, path))
        self.say(f"step {self.step}: {self.trained_s:.0f} s in all" + (f", PSNR-Y {score:.3f} dB" if score is not None else ""))
        return Result(self.files.folder, self.step, self.trained_s, score, self.best)

    def _tell_checkpoint(self) -> None:
        """The checkpoint stays that of the stable part; it learns what the decay gave."""
        checkpoint = self.files.read()
        assert checkpoint is not None
        checkpoint.facts |= {"best": self.best, "rows": self.rows}
        self.files.write(checkpoint)


def probe(settings: Settings, photos: PhotoSet, say: Say) -> tuple[float, Form]:
    """Milliseconds of a step in the fastest form of this backend, and the form. Raises what `train_for` raises."""
    ms, steps = fastest(settings, to_device(photos, settings.patch), FORMS, say, time.monotonic)
    return ms, steps.form


def fastest(settings: Settings, photos: DevicePhotos, forms: Sequence[Form], say: Say, clock: Clock) -> tuple[float, Steps]:
    """Times a step in each form, the quickest once more with many steps in a call; milliseconds and what was fastest, at its first weights.

    No form is begun after a minute.

    Raises:
        TrainingError: no form works.
    """
    end, found = clock() + _PROBE_S, list[tuple[float, Steps]]()

    def time(form: Form) -> None:
        if found and clock() > end:
            say(f"probe: no time for {form}")
            return
        try:
            steps = STEPS[keras.backend.backend()](settings, form, photos)
            first = [np.array(keras.ops.convert_to_numpy(v)) for v in steps.variables]
            began = clock()
            steps.run(settings.lr, 0)
            ready = clock()
            steps.run(settings.lr, 0)
            done = clock()
            for variable, value in zip(steps.variables, first, strict=True):
                variable.assign(value)
        except Exception as error:  # a device that lacks memory or an operation says so in many ways
            say(f"probe: {form}: {one_line(error, 200)}")
            return
        found.append(((done - ready) * 1e3 / form.steps, steps))
        say(f"probe: {form}: {found[-1][0]:.2f} ms a step, ready after {ready - began:.1f} s")

    for form in forms:
        time(form)
    if not found:
        raise TrainingError("no way to compute the step works on this device: see the lines above")
    ms, best = min(found, key=lambda one: one[0])
    if ms * _MANY < _LONGEST_CALL_S * 1e3:
        time(replace(best.form, steps=_MANY))
    return min(found, key=lambda one: one[0])
