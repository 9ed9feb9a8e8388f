"""Quantization-aware training from here: prepares a run, has a process of its own train it, and writes the full-integer file.

Training itself is `conversion.quantization.qat.train`; it needs tf_keras and a variable that changes TensorFlow for a whole process,
so nothing of it is imported here. The run's folder holds everything that passes between the two.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from conversion.convert_model import card_for
from conversion.engines.cpu import CpuEngine
from conversion.graph.arrays import RangeTable, pack
from conversion.graph.from_keras import graph_of
from conversion.graph.ir import Graph
from conversion.quantization.fake_quant import Ranges, fixed_ranges, int8_tflite, range_groups
from conversion.quantization.int8 import RESCALED
from conversion.quantization.int8 import quantize as post_training
from conversion.quantization.int8_graph import PATCHES, int8_graph
from conversion.quantization.qat.photo_sets import photo_sets
from conversion.quantization.qat.saved_graphs import saved_with_ranges
from conversion.quantization.qat.settings import QatSettings
from conversion.recipes import RECIPES
from conversion.source import ModelLike, ModelSource, weights_digest
from conversion.tflite.output import check_target, write_tflite
from keras_models.data.patches import Patches
from keras_models.metrics import psnr_y, to_uint8
from keras_models.system.errors import ConversionError, TrainingError
from keras_models.system.json_text import json_object
from keras_models.system.processes import Task, stream
from keras_models.training.run import Listener
from keras_models.training.run_folder import RunFiles


@dataclass(frozen=True)
class QatRun:
    """Where a run takes place and what it reads.

    Attributes:
        folder: of the run; if it holds one, that one goes on.
        data: folder of photos to train on.
        validation: folder of photos that choose the best weights, None to take some of `data`.
        cache: folder for the photos' cache, None for the usual one.
    """

    folder: Path
    data: Path
    validation: Path | None = None
    cache: Path | None = None


CROPS = 32
"""Low-resolution crops that the start's ranges and weights are fitted on."""

SILENCE_S = 3600.0
"""That training may keep: while it validates on a folder of large photos it says nothing."""


@dataclass(frozen=True)
class QatResult:
    """What a run gave.

    Attributes:
        path: the file.
        steps: made in all.
        emulated_psnr_y: mean PSNR-Y of the best weights on the validation photos, dB, as training emulates 8 bits.
        file_psnr_y: the same of the file, run by the integer kernels.
    """

    path: Path
    steps: int
    emulated_psnr_y: float
    file_psnr_y: float


def quantize(
    model: ModelLike,
    run: QatRun,
    settings: QatSettings,
    tile: tuple[int, int],
    io: str,
    listener: Listener | None = None,
    target: Path | None = None,
) -> QatResult:
    """Trains as `train` does, writes the .tflite with its card, and measures the file.

    Args:
        model: as for `train`.
        run: as for `train`.
        settings: as for `train`.
        tile: (H, W) of the file's static input, low-resolution pixels.
        io: "int8" or "uint8", of the file's input and output.
        listener: told how it goes.
        target: the file; None for RUN/NAME_int8.tflite (or _uint8).

    Raises:
        MobileSRError: as for `train`, an unknown `io`, a target that does not end in .tflite, or a tensor that stayed in float.

    Example:
        >>> import conversion, keras_models, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from conversion.quantization.qat.run import QatRun
        >>> from conversion.quantization.qat.settings import QatSettings
        >>> network = keras_models.LKDN(scale=2, features=4, attention_channels=4, blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "photos").mkdir()
        ...     for name in "ab":
        ...         Image.effect_noise((96, 96), 80).convert("RGB").save(f"{folder}/photos/{name}.png")
        ...     run = QatRun(Path(folder) / "run", Path(folder) / "photos", None, Path(folder) / "cache")
        ...     settings = QatSettings(steps=2, batch=2, patch=16, interval=2)
        ...     conversion.quantize_aware_training(network, run, settings, (32, 32), "int8").steps
        2
    """
    if io not in ("int8", "uint8"):
        raise ConversionError(f"`io` {io}: give int8 or uint8")
    target = target and check_target(target)
    graph, ranges = train(model, run, settings, listener)
    source, recipe = ModelSource.of(model), RECIPES["int8"]
    deploy = source.deploy()
    card = card_for(source, deploy, graph_of(deploy, *tile), recipe, tile)
    target = target or run.folder / f"{card.name}_{io}.tflite"
    write_tflite(int8_tflite(graph, ranges, *tile, io), target, card, recipe.contract, compact=recipe.compact)
    engine, photos = CpuEngine(target), photo_sets(run.data, run.validation, card.scale, run.cache)[1].photos
    scores = [psnr_y(to_uint8(engine.run(p.low.astype(np.float32) / 255)), p.high, card.scale) for p in photos]
    return QatResult(target, settings.steps, best_measured(run.folder), float(np.mean(scores)))


def train(model: ModelLike, run: QatRun, settings: QatSettings, listener: Listener | None = None) -> tuple[Graph, Ranges]:
    """Trains the int8 form of a network against its float form, or goes on with such a run.

    Args:
        model: preset name or path, as for `load_model`; a training form is folded first.
        run: folders.
        settings: of the optimization.
        listener: told how it goes.

    Returns:
        The graph with the best validation PSNR, its kernels on the 8-bit grid, and its learned ranges.

    Raises:
        MobileSRError: a model or photos that cannot be used, another run in the folder, or a process that broke down.
    """
    source = ModelSource.of(model)
    deploy = source.deploy()
    photos, validation = photo_sets(run.data, run.validation, deploy.scale, run.cache)
    patches = Patches(photos, CROPS, settings.patch, settings.seed)
    files = RunFiles(run.folder)
    identity = {"network": weights_digest(deploy), "data": photos.fingerprint, "validation": validation.fingerprint, **asdict(settings)}
    _claim(files, identity, {"schema": 1, "task": "qat", "model": source.label})
    if not (run.folder / "start.npz").exists():
        _prepare(deploy, patches.at(settings.steps)[0], files)
    _train_in_child(run, settings, listener or Listener())
    return best_of(run.folder)


def best_of(folder: Path) -> tuple[Graph, Ranges]:
    """The graph and the ranges that a run's folder holds as its best.

    Raises:
        TrainingError: the file is damaged, or not there.
    """
    graph, table = saved_with_ranges(folder, "best.npz")
    return graph, {name: (float(table.bounds[index][0]), float(table.bounds[index][1])) for name, index in table.group.items()}


def best_measured(folder: Path) -> float:
    """The highest PSNR-Y of a run's log, dB.

    Raises:
        TrainingError: the log is damaged, or not there.
    """
    measured = [row["val_psnr_y"] for row in RunFiles(folder).log_rows() if "val_psnr_y" in row]
    if not measured:
        raise TrainingError(f"{folder / 'log.csv'}: damaged, it has no measurement: remove the folder to start anew")
    return max(measured)


def _claim(files: RunFiles, identity: dict, facts: dict) -> None:
    """Writes run.json; refuses a folder that holds another run."""
    path = files.folder / "run.json"
    old = json_object(path.read_bytes()) if path.exists() else {**facts, **identity}
    if old is None:
        raise TrainingError(f"{path}: damaged: remove the folder to start anew")
    if old.get("task") != facts["task"]:
        raise TrainingError(f"{files.folder}: holds a run of another kind: give another `out`")
    for key, now in identity.items():
        if old.get(key) != now:
            raise TrainingError(f"{files.folder}: holds a run with another {key.replace('_', ' ')}: give the same, or another `out`")
    files.write_json("run.json", {**facts, **identity})


def _prepare(deploy: keras.Model, images: np.ndarray, files: RunFiles) -> None:
    """Post-training quantization as the start: `float.npz`, the teacher, and `start.npz`, equalised, rounded, with its ranges.

    Args:
        deploy: the network in deploy form.
        images: (N, h, w, 3) float32 in [0, 1], low-resolution crops that ranges and weights are fitted on.
        files: of the run.
    """
    plain = graph_of(deploy, *images.shape[1:3])
    exact = int8_graph(plain, images[:RESCALED])
    graph, ranges, _ = post_training(plain, images)
    if PATCHES in graph.nodes:
        graph.nodes[PATCHES].attrs["trainable"] = False  # it copies pixels, without loss
    contents: dict[str, dict[str, Any]] = {"float.npz": pack(exact), "start.npz": pack(graph, range_table(graph, ranges))}
    for name, content in contents.items():
        files.replace(name, partial(np.savez, **content))


def range_table(graph: Graph, ranges: Ranges) -> RangeTable:
    """The ranges by groups of nodes that share one; fixed ones are not learned."""
    fixed = fixed_ranges(graph)
    groups = range_groups(graph)
    group = {name: index for index, names in enumerate(groups) for name in names}
    bounds = np.array([ranges[names[0]] for names in groups], np.float32)
    return RangeTable(group, bounds, np.array([names[0] not in fixed for names in groups]))


def _train_in_child(run: QatRun, settings: QatSettings, listener: Listener) -> None:
    places = [place and str(place) for place in (run.folder, run.data, run.validation, run.cache)]
    arguments = [*places, asdict(settings)]
    task = Task("conversion.quantization.qat.train:train", arguments, SILENCE_S, partial(_broken, run.folder))
    try:
        with stream(task) as child:
            for said in child:
                _tell(listener, said)
    finally:
        listener.on_end()


def _broken(folder: Path, how: str) -> TrainingError:
    return TrainingError(f"{folder}: the training process: {how}: the last checkpoint is kept")


def _tell(listener: Listener, said: dict) -> None:
    """Passes one message of the child on."""
    if "begin" in said:
        listener.on_begin(said["begin"], said["steps"], said["warnings"])
    elif "row" in said:
        listener.on_interval(said["row"])
    elif "step" in said:
        for callback in listener.callbacks:
            callback.on_train_batch_end(said["step"])
