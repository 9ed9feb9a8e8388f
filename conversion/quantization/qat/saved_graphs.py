"""The graphs in a run's folder: `float.npz` (the teacher), `start.npz` and `best.npz`, the last two with their ranges."""

from pathlib import Path

from conversion.graph.arrays import RangeTable, unpack
from conversion.graph.ir import Graph
from keras_models.system.errors import TrainingError
from keras_models.training.run_folder import RunFiles


def saved_graph(folder: Path, name: str) -> Graph:
    """The graph of one of the files.

    Raises:
        TrainingError: the file is damaged, or not there.
    """
    return _read(folder, name)[0]


def saved_with_ranges(folder: Path, name: str) -> tuple[Graph, RangeTable]:
    """The graph of one of the files and its ranges.

    Raises:
        TrainingError: as for `saved_graph`, or it has no ranges.
    """
    graph, ranges = _read(folder, name)
    if ranges is None:
        raise TrainingError(f"{folder / name}: has lost its ranges: remove the folder to start anew")
    return graph, ranges


def _read(folder: Path, name: str) -> tuple[Graph, RangeTable | None]:
    arrays = RunFiles(folder).read_part(name)
    try:
        return unpack(arrays)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TrainingError(f"{folder / name}: damaged ({type(error).__name__}): remove the folder to start anew") from None
