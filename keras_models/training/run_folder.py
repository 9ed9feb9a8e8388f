"""The files of a training run, all written whole or not at all: checkpoint, log, settings, models.

`last.npz` holds everything a run needs to go on (weights, optimizer with its average, step, settings; no pickle). The
log's rows after the checkpoint's step are dropped on resuming, because they will be made again.
"""

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_models.checkpoints.zip_limits import read_arrays
from keras_models.system.atomic_files import atomic_output, remove_leftovers
from keras_models.system.errors import TrainingError

CONFIG = "train.toml"
"""What the command line writes here first: the run's options, to give the same command again."""
LOG = "go.log"
"""What a packed run (scripts/packed_go.py) said."""
LOG_FIELDS = ("step", "seconds", "loss", "lr", "val_psnr_y")


@dataclass
class Checkpoint:
    """The state of a run after `step` steps; `arrays` are the model's and the optimizer's variables in their order."""

    step: int
    arrays: list[np.ndarray]
    facts: dict


class RunFiles:
    """The folder of one run.

    Args:
        folder: made if missing.

    Raises:
        TrainingError: it holds other files, or cannot be made.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            raise TrainingError(f"{self.folder}: cannot be used as a folder ({error.strerror}): give another `out`") from None
        if names and not names & {CONFIG, LOG, "run.json", "last.npz", "lock"}:
            raise TrainingError(f"{self.folder}: holds files that are not a training run's: give a new folder as `out`")

    def read(self) -> Checkpoint | None:
        """The last checkpoint, None if there is none yet.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self.folder / "last.npz"
        if not path.exists():
            return None
        try:
            stored = read_arrays(path)
            facts = json.loads(str(stored["facts"]))
            return Checkpoint(facts["step"], [stored[str(i)] for i in range(facts["arrays"])], facts)
        except Exception as error:  # zipfile, NumPy and JSON each raise their own for a damaged file
            raise TrainingError(f"{path}: damaged checkpoint ({type(error).__name__}): remove the folder to start anew") from None

    def restore(self, checkpoint: Checkpoint, variables: Sequence[Any]) -> tuple[float, float | None, list[dict[str, float]]]:
        """Gives variables the arrays of the last checkpoint.

        Args:
            checkpoint: of `read`.
            variables: Keras' or TensorFlow's, those that are trained.

        Returns:
            Seconds that were trained, the best PSNR-Y so far if there is one, and the log's rows.

        Raises:
            TrainingError: it is of other variables, or does not say what it should.
        """
        path, arrays, facts = self.folder / "last.npz", checkpoint.arrays, checkpoint.facts
        if len(variables) != len(arrays):
            what = f"holds {len(arrays)} arrays, this version trains {len(variables)}"
        elif any(tuple(variable.shape) != array.shape or array.dtype.kind not in "fiub" for variable, array in zip(variables, arrays)):
            what = "holds arrays of other shapes than those that are trained"
        elif not all(np.isfinite(array).all() for array in arrays):
            what = "holds values that are no numbers"
        elif not _are_facts(checkpoint.step, facts):
            what = "does not say how far the run has come"
        else:
            for variable, array in zip(variables, arrays):
                variable.assign(array)
            return facts["seconds"], facts["best"], facts["rows"]
        raise TrainingError(f"{path}: {what}: finish the run with the version that began it, or remove the folder to start anew")

    def read_part(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of one of the run's other .npz files.

        Raises:
            TrainingError: the file is damaged, or not there.
        """
        path = self.folder / name
        try:
            return read_arrays(path)
        except FileNotFoundError:
            raise TrainingError(f"{path}: is gone: remove the folder to start anew") from None
        except Exception as error:  # as above
            raise TrainingError(f"{path}: damaged ({type(error).__name__}): remove the folder to start anew") from None

    def write(self, checkpoint: Checkpoint) -> None:
        """Replaces the last checkpoint."""
        facts = {**checkpoint.facts, "step": checkpoint.step, "arrays": len(checkpoint.arrays)}
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {str(i): array for i, array in enumerate(checkpoint.arrays)}
        np.savez(buffer, facts=np.array(json.dumps(facts)), **arrays)
        data = buffer.getvalue()  # a copy: an error while getbuffer() is written makes Python 3.12.1 crash later
        self.replace("last.npz", lambda path: path.write_bytes(data))

    def write_json(self, name: str, content: dict) -> None:
        """Replaces a JSON file."""
        self.replace(name, lambda path: path.write_text(json.dumps(content, indent=1) + "\n"))

    def replace(self, name: str, write: Callable[[Path], object]) -> Path:
        """Has a file written beside its place, forced to disk and renamed into place.

        Raises:
            OutputError: it cannot be written; the previous file is untouched.
        """
        target = self.folder / name
        with atomic_output(target) as scratch:
            write(scratch)
        return target

    def log_rows(self) -> list[dict[str, float]]:
        """The rows of log.csv; empty cells are left out.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self.folder / "log.csv"
        if not path.exists():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        except (ValueError, TypeError, AttributeError, csv.Error):  # no numbers, more or fewer columns, no text
            raise TrainingError(f"{path}: damaged: remove the folder to start anew") from None

    def write_log(self, rows: list[dict[str, float]]) -> None:
        """Replaces log.csv."""
        text = io.StringIO()
        writer = csv.DictWriter(text, LOG_FIELDS)
        writer.writeheader()
        writer.writerows(rows)
        self.replace("log.csv", lambda path: path.write_text(text.getvalue()))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process out while this one trains; leftovers of killed writers are removed.

        Raises:
            TrainingError: another process is training here.
        """
        try:
            import fcntl
        except ImportError:  # no such locks on Windows
            yield
            return
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise TrainingError(f"{self.folder}: another process is training this run: wait for it, or give another `out`") from None
            remove_leftovers(self.folder)
            yield


def _are_facts(step: Any, facts: dict) -> bool:
    """Whether a checkpoint's facts are of the right kinds: numbers where numbers are added and compared."""
    rows, best = facts.get("rows"), facts.get("best")
    numbers = [facts.get("seconds"), *([] if best is None else [best])]
    if "best" not in facts or not isinstance(rows, list) or not all(isinstance(row, dict) and "step" in row for row in rows):
        return False
    numbers += [value for row in rows for value in row.values()]
    return type(step) is int and step >= 0 and all(type(number) in (int, float) for number in numbers)
