"""How a training run shows itself: one line an interval on stderr, a bar with the time left on a terminal, TensorBoard."""

import contextlib
import sys
from pathlib import Path

import keras

from conversion.commands.progress import progress_bar
from keras_models.system.errors import TrainingError
from keras_models.training.run import Listener


def progress_listener(tensorboard: Path | None = None) -> Listener:
    """The command line's listener.

    Args:
        tensorboard: folder for TensorBoard's event files, None for none.

    Raises:
        TrainingError: TensorBoard is asked for and not installed.
    """
    callbacks = [_board(tensorboard)] if tensorboard else []
    if sys.stderr.isatty():
        callbacks.append(_Bar())
    return _Lines(tuple(callbacks))


class _Lines(Listener):
    def on_begin(self, step: int, steps: int, warnings: list[str]) -> None:
        for warning in warnings[:20]:
            _say(f"left out: {warning}")
        if len(warnings) > 20:
            _say(f"left out: {len(warnings) - 20} more (run.json has them all)")
        _say(f"training: steps {step} to {steps}")
        for callback in self.callbacks:
            if isinstance(callback, _Bar):
                callback.begin(step, steps)

    def on_interval(self, row: dict[str, float]) -> None:
        words = [f"step {row['step']}", f"{row['seconds']:.0f} s", f"lr {row['lr']:.3g}"]
        words += [f"loss {row['loss']:.5f}"] if "loss" in row else []
        words += [f"PSNR-Y {row['val_psnr_y']:.3f} dB"] if "val_psnr_y" in row else []
        _say(", ".join(words))

    def on_end(self) -> None:
        for callback in self.callbacks:
            if isinstance(callback, _Bar):
                callback.end()


class _Bar(keras.callbacks.Callback):
    """A bar over the whole run, on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = contextlib.ExitStack()  # a run may end before it begins

    def begin(self, step: int, steps: int) -> None:
        """Shows the bar at the step that the run (re)starts from."""
        self.show = self.shown.enter_context(progress_bar("training"))
        self.step, self.steps = step, steps
        self.show(step, steps)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """One step further."""
        self.step += 1
        self.show(self.step, self.steps)

    def end(self) -> None:
        """Gives the terminal back."""
        self.shown.close()


def _board(folder: Path) -> keras.callbacks.Callback:
    try:
        import tensorboard  # noqa: F401
        import tensorflow  # noqa: F401
    except ImportError:
        raise TrainingError("--tensorboard: TensorBoard or TensorFlow is not installed: install them, or read log.csv instead") from None
    return _ContinuedBoard(str(folder), update_freq="epoch")


class _ContinuedBoard(keras.callbacks.TensorBoard):
    """TensorBoard for a run that calls `fit` once an interval: epochs count on over all calls."""

    intervals = 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the interval's loss."""
        super().on_epoch_end(self.intervals, logs)
        self.intervals += 1


def _say(words: str) -> None:
    print(f"mobile-sr: {words}", file=sys.stderr, flush=True)  # noqa: T201
