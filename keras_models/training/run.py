"""Training a network on a folder of photos: resumable, and the same to the last bit however often it was killed.

A run is a pure function of its settings and photos: patches are a function of (seed, step), and the checkpoint holds all
variables. So a run that resumes from its last checkpoint makes the same steps again (bit-identical on a CPU with as many cores).
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_models.adan import Adan
from keras_models.base import SuperResolution
from keras_models.checkpoints.loading import build_preset, load_model
from keras_models.data.patches import Patches
from keras_models.data.photo_set import PhotoSet
from keras_models.folding import fold
from keras_models.registry import preset_named
from keras_models.system.errors import TrainingError
from keras_models.system.threads import can_start_threads
from keras_models.training.backends import compiles_with_xla, computes_with_tensorflow_on_cpu
from keras_models.training.bicubic_start import head_start
from keras_models.training.cpu_parts import parts_of
from keras_models.training.other_scale import take_other_scale
from keras_models.training.run_folder import Checkpoint, RunFiles
from keras_models.training.schedules import WarmUpDecay
from keras_models.training.settings import Settings
from keras_models.training.student import Student
from keras_models.training.validation import validate

SPARE_THREADS = 16
"""That must be free before an interval: TensorFlow starts one or two for its data and, at first, some for each core."""
MOVABLE = ("steps", "decay")
"""Settings that may change when a run is resumed: where it ends. Changing them changes the result, of course."""


@dataclass(frozen=True)
class Result:
    """What a run gave: dB are of the averaged weights on the validation photos (None without any)."""

    folder: Path
    steps: int
    seconds: float
    last_psnr_y: float | None
    best_psnr_y: float | None


@dataclass
class Listener:
    """What wants to know how a run goes on; override what is of interest."""

    callbacks: tuple[keras.callbacks.Callback, ...] = ()

    def on_begin(self, step: int, steps: int, warnings: list[str]) -> None:
        """Before the first step: the step that the run (re)starts from, and what was skipped in the data."""

    def on_interval(self, row: dict[str, float]) -> None:
        """After each checkpoint, with its row of the log."""

    def on_end(self) -> None:
        """When the run leaves off: finished, failed or interrupted."""


def train(
    settings: Settings, photos: PhotoSet, out: Path | str, validation: PhotoSet | None = None, listener: Listener | None = None
) -> Result:
    """Trains, or goes on with, one run.

    Writes into `out`: `last.npz` (checkpoint), `log.csv`, `run.json`, `best.keras` and `last.keras` (averaged weights, in
    training form, float32), `curves.png`.

    Args:
        settings: see `keras_models.training.settings`.
        photos: what to train on; with a teacher, `taught_photos` spares computing its result in every step.
        out: the run's folder; if it holds a run, that run goes on.
        validation: photos to measure PSNR-Y on at every interval.
        listener: told how it goes.

    Raises:
        TrainingError: unusable data, another run in the folder, weights that became NaN.
        OutputError: a full disk, a folder that cannot be written.

    Example:
        >>> import keras_models, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.effect_noise((96, 96), 80).convert("RGB").save(f"{folder}/a.png")
        ...     photos = keras_models.load_photos(Path(folder), 4, Path(folder) / "cache")
        ...     settings = keras_models.settings_for("compact-16-x4", steps=2, batch=1, patch=8, interval=2)
        ...     keras_models.train(settings, photos, Path(folder) / "run").steps
        2
    """
    files, listener = RunFiles(out), listener or Listener()
    with files.locked():
        try:
            return _Run(settings, photos, files, validation, listener).go()
        finally:
            listener.on_end()


class _Run:
    def __init__(self, settings: Settings, photos: PhotoSet, files: RunFiles, validation: PhotoSet | None, listener: Listener) -> None:
        self.settings, self.files, self.validation, self.listener = settings, files, validation, listener
        self.identity = {
            "settings": {**asdict(settings), "betas": list(settings.betas)},
            "data": photos.fingerprint,
            "validation": validation.fingerprint if validation else None,
        }
        checkpoint = files.read()
        if checkpoint:
            if "identity" not in checkpoint.facts:
                raise TrainingError(f"{files.folder}: holds a run of another kind (of `qat`): give another `out`")
            _refuse_another(files.folder, checkpoint.facts["identity"], self.identity)
        self.patches = Patches(
            photos, settings.batch, settings.patch, settings.seed, degradation=settings.degradation, early=settings.early
        )
        self.warnings = [*photos.skipped, *self.patches.too_small]
        self.student, self.averaged = build_student(settings, photos.taught)
        self.step, self.seconds = 0, 0.0
        self.best: float | None = None
        self.rows: list[dict[str, float]] = []
        if checkpoint:
            self._restore(checkpoint)
        self._write_run_json(photos)

    def go(self) -> Result:
        settings, start = self.settings, time.perf_counter() - self.seconds
        self.listener.on_begin(self.step, settings.steps, self.warnings)
        if self.step == 0:
            self._log(loss=None)
        while self.step < settings.steps:
            stop = min(settings.steps, (self.step // settings.interval + 1) * settings.interval)
            self._check_threads()
            loss = self._fit(stop)
            if not np.isfinite(loss):
                raise TrainingError(
                    f"{self.files.folder}: the loss became {loss} before step {stop}: the checkpoint of step {self.step} is kept; "
                    "start anew with a lower `lr`"
                )
            self.step, self.seconds = stop, time.perf_counter() - start
            self._log(loss)
            self._save()
        self._finish()
        last = self.rows[-1].get("val_psnr_y") if self.rows else None
        return Result(self.files.folder, self.step, self.seconds, last, self.best)

    def _check_threads(self) -> None:
        """Each `fit` makes a new input pipeline with threads of its own, and TensorFlow aborts if one cannot be started."""
        if not can_start_threads(SPARE_THREADS):
            raise TrainingError(
                f"{self.files.folder}: step {self.step}: the system lets this process start no more threads: end other "
                "programs, or raise its limit on processes; the same command then goes on from the last checkpoint"
            )

    def _fit(self, stop: int) -> float:
        """Makes the steps up to `stop`; the mean loss.

        Keras puts the averaged weights into the model when `fit` returns; a run that goes on needs its own back.
        """
        keep = _KeepWeights()
        span = self.patches.span(self.step, stop)
        history = self.student.fit(span, epochs=1, verbose=0, shuffle=False, callbacks=[keep, *self.listener.callbacks])
        for variable, array in zip(self.student.network.variables, keep.weights, strict=True):
            variable.assign(array)
        return history.history["loss"][0]

    def _log(self, loss: float | None) -> None:
        """Measures the averaged weights, adds the row, and keeps them if they are the best so far."""
        row = {"step": self.step, "seconds": round(self.seconds, 1), "lr": float(self._rate())}
        if loss is not None:
            row["loss"] = loss
        self.student.average_into(self.averaged)
        if self.validation:
            row["val_psnr_y"] = validate(self.averaged, self.validation)
            if self.best is None or row["val_psnr_y"] > self.best:
                self.best = row["val_psnr_y"]
                self.files.replace("best.keras", self.averaged.save)
        self.rows.append(row)
        self.listener.on_interval(row)

    def _save(self) -> None:
        variables = [*self.student.network.variables, *self.student.optimizer.variables]
        arrays = [keras.ops.convert_to_numpy(v) for v in variables]
        facts = {"identity": self.identity, "seconds": self.seconds, "best": self.best, "rows": self.rows}
        self.files.write(Checkpoint(self.step, arrays, facts))
        self.files.write_log(self.rows)

    def _restore(self, checkpoint: Checkpoint) -> None:
        variables = [*self.student.network.variables, *self.student.optimizer.variables]
        self.seconds, self.best, self.rows = self.files.restore(checkpoint, variables)
        self.step = checkpoint.step

    def _rate(self) -> float:
        return keras.ops.convert_to_numpy(self.student.schedule(max(0, self.step - 1)))

    def _finish(self) -> None:
        from keras_models.training.plots import draw_curves

        self.student.average_into(self.averaged)
        self.files.replace("last.keras", self.averaged.save)
        if not self.validation:
            self.files.replace("best.keras", self.averaged.save)
        self.files.replace("curves.png", lambda path: draw_curves({self.settings.preset: self.rows}, path))

    def _write_run_json(self, photos: PhotoSet) -> None:
        content = {
            "schema": 1,
            **self.identity,
            "data_folder": str(photos.folder),
            "photos": len(self.patches.photos),
            "left_out": self.warnings,
            "validation_folder": str(self.validation.folder) if self.validation else None,
            "backend": keras.backend.backend(),
            "versions": {"keras": keras.__version__, "numpy": np.__version__},
        }
        self.files.write_json("run.json", content)


class _KeepWeights(keras.callbacks.Callback):
    """Remembers the weights as the last step left them."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.weights = [keras.ops.convert_to_numpy(v).copy() for v in self.model.network.variables]


def build_student(settings: Settings, taught: bool = False) -> tuple[Student, keras.Model]:
    """The compiled network that learns, and a float32 twin that will hold its averaged weights.

    Args:
        settings: of the run.
        taught: the teacher's results come with the photos, so it does not compute here.

    Raises:
        ModelError: unknown preset, or a start or teacher that cannot be opened.
        TrainingError: a start or teacher that does not fit, or no head start for this network.
    """
    preset = preset_named(settings.preset)
    keras.config.set_dtype_policy("float32")
    averaged = _in_form(build_preset(preset), settings)
    teacher = load_model(settings.teacher) if settings.teacher and not taught else None
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(settings.precision)
    try:
        network = build_preset(preset)
        if settings.head_start and not settings.start and network.long_skip:
            head_start(network)
        network = _in_form(network, settings)
        student = Student(network, settings.loss, teacher, settings.teacher_share, settings.fourier, parts_of(settings.batch))
        if computes_with_tensorflow_on_cpu():
            student.take_fast_gradients()
    finally:
        keras.config.set_dtype_policy("float32")
    if settings.start:
        _take_weights(network, settings.start)
    student.schedule = WarmUpDecay(settings.lr, settings.steps, settings.schedule, settings.warmup, settings.decay)
    student.compile(optimizer=optimizer_for(settings, student.schedule), jit_compile=compiles_with_xla())
    student.build((None, None, None, 3))
    student.optimizer.build(student.trainable_variables)
    return student, averaged


def optimizer_for(settings: Settings, rate: WarmUpDecay | float) -> keras.optimizers.Optimizer:
    """The optimizer that the settings name, which averages the weights, at a rate or a schedule of rates."""
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": settings.ema}
    if settings.optimizer == "adan":
        return Adan(rate, settings.betas, **average)
    return keras.optimizers.Adam(rate, *settings.betas, epsilon=1e-8, **average)


def _in_form(network: keras.Model, settings: Settings) -> keras.Model:
    return fold(network) if settings.form == "deploy" else network


def _take_weights(network: SuperResolution, start: str) -> None:
    source = load_model(start)
    shapes = [tuple(v.shape) for v in source.variables]
    if shapes == [tuple(v.shape) for v in network.variables]:
        network.set_weights(source.get_weights())
    else:
        take_other_scale(network, source)


def _refuse_another(folder: Path, old: dict, new: dict) -> None:
    for key, now in new["settings"].items():
        was = old["settings"].get(key, getattr(Settings, key, None))  # a run of before there was such a setting
        if was != now and key not in MOVABLE:
            raise TrainingError(f"{folder}: holds a run with {key} {was}, not {now}: give the same settings, or another `out`")
    for key, words in (("data", "photos to train on"), ("validation", "validation photos")):
        if old[key] != new[key]:
            raise TrainingError(f"{folder}: holds a run with other {words}: give the same folder, or another `out`")
