"""A model of any kind, inputs and outputs, run in a process of its own: .tflite, .onnx, .keras or a SavedModel."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from conversion.tflite.made_inputs import Wanted, made_feed
from keras_models.system.errors import ModelError
from keras_models.system.processes import Task, serve

LIMIT_S = 300.0
"""To open a model, and for each run: what takes longer hangs."""


class AnyModel:
    """An opened model; `with` ends its process.

    Attributes:
        path: of the file or folder.
        inputs: what it takes.
        outputs: names of what it gives.
        signatures: names of all that it has.
    """

    def __init__(self, path: str | Path, signature: str | None = None) -> None:
        """Opens it.

        Args:
            path: a .tflite, .onnx or .keras, or the folder of a SavedModel.
            signature: which one; None for the first.

        Raises:
            ModelError: it is of no such kind, cannot be opened, or crashes.
        """
        self.path = Path(path)
        self._folder = tempfile.TemporaryDirectory(prefix="mobile-sr-run-")
        kind = kind_of(self.path)
        task = Task("conversion.measuring.model_child:open_model", [kind, str(path), signature], LIMIT_S, self._failed)
        self._child = serve(task)
        try:
            told = self._child.answer()
        except BaseException:
            self._folder.cleanup()
            raise
        self.inputs = [Wanted(**{**fields, "shape": tuple(fields["shape"])}) for fields in told["inputs"]]
        self.outputs: list[str] = told["outputs"]
        self.signatures: list[str] = told["signatures"]

    def __enter__(self) -> "AnyModel":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._child.close()
        self._folder.cleanup()

    def run(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What it makes of values in the order of its inputs.

        Raises:
            ModelError: it cannot run on them, crashes, or takes too long.
        """
        files = [str(Path(self._folder.name) / f"given{number}.npy") for number in range(len(values))]
        for file, value in zip(files, values):
            np.save(file, value)
        return [np.load(file) for file in self._child.ask({"inputs": files, "folder": self._folder.name})["outputs"]]

    def _failed(self, what: str) -> ModelError:
        return ModelError(f"{self.path}: {what}: it is damaged, or too large: give another file or smaller inputs")


def must_run(path: str | Path, feed: Mapping[int, np.ndarray]) -> None:
    """Runs a .tflite once in a process of its own, before this one keeps its tensors: a damaged file may crash what runs it.

    Args:
        path: the file.
        feed: index of an input's tensor -> value.

    Raises:
        ModelError: it crashes, hangs or cannot run.
    """
    with AnyModel(path) as model:
        if [want.index for want in model.inputs] == [*feed]:  # of several signatures the first may take other tensors
            model.run([*feed.values()])


def must_run_zeros(path: str | Path, shapes: Sequence[tuple[int, ...]]) -> None:
    """As `must_run`, on zeros of these shapes in whatever types it takes."""
    with AnyModel(path) as model:
        if len(model.inputs) == len(shapes):
            model.run([*made_feed(model.inputs, shapes, "zeros").values()])


def kind_of(path: Path) -> str:
    """The kind of a model file, by its name.

    Raises:
        ModelError: of none that is run.
    """
    kinds = {".tflite": "tflite", ".onnx": "onnx", ".keras": "keras"}
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return "saved_model"
    if not path.exists():
        raise ModelError(f"{path}: no such model file: check the path")
    if path.suffix.lower() not in kinds or not path.is_file():
        raise ModelError(f"{path}: give a .tflite, .onnx or .keras file, or the folder of a SavedModel")
    return kinds[path.suffix.lower()]
