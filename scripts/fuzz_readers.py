"""The readers of outside files that `fuzz.py` tries: which files are spoilt (`fuzz_seeds.py`), and what a command does with them."""

import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_mutations as mutations
import fuzz_seeds as seeds
import numpy as np
from fuzz_mutations import Mutation

LARGE_FILE_SHARE = 0.03
"""How often a file of ordinary size is taken instead of a tiny one."""


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of file.

    Attributes:
        suffix: of its files.
        seeds: makes the good files in a folder.
        mutation: how they are spoilt.
        trial: reads a file as the command does; a `MobileSRError` is an answer, anything else a finding.
        imports: modules that are imported once, before the trials.
        trials_a_process: after so many a fresh process goes on, which keeps leaks of libraries apart from a file's own memory.
    """

    suffix: str
    seeds: Callable[[Path], list[Path]]
    mutation: Mutation
    trial: Callable[[Path, Path], object]
    imports: tuple[str, ...] = ()
    trials_a_process: int = 500


def spoilt_file(reader: Reader, seeds: list[Path], dice: random.Random) -> bytes:
    """One of the files, mutated."""
    small = [path for path in seeds if path.stat().st_size < 60_000]
    chosen = dice.choice(small if small and dice.random() > LARGE_FILE_SHARE else seeds)
    data = chosen.read_bytes()
    try:
        return mutations.splicing(dice.choice(seeds).read_bytes(), reader.mutation)(data, dice)
    except Exception:  # a second change may find nothing left that it can take apart
        return mutations.mutate_any(data, dice)


class NearestEngine:
    """Doubles the pixels: whatever goes wrong with a photo is the photo's."""

    scale, tile, resizable, passes, multiple, stride, halo = 2, (16, 16), True, 1, 1, 1, 0

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """(2h, 2w, 3) of (h, w, 3)."""
        return window_nhwc.repeat(2, 0).repeat(2, 1)


def _try_photo(path: Path, scratch: Path) -> None:
    """`upscale` with libvips; then `train` and `evaluate`, which read with Pillow."""
    from conversion.measuring.evaluate import _read
    from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
    from keras_models.data.photo_files import Pair
    from keras_models.system.errors import MobileSRError

    refused = []
    target = scratch / ("out" + random.Random(path.stat().st_size).choice((".png", ".jpg", ".webp", ".tif", ".avif")))
    for read in (
        lambda: upscale_file(path, target, NearestEngine(), UpscaleOptions(tile=64, halo=4, overwrite=True)),
        lambda: _read(Pair(path.name, path, None), 2, "newer"),
    ):
        try:
            read()
        except MobileSRError as error:
            refused.append(error)
    assert not list(scratch.glob(".mobile-sr-*")), "a temporary file is left"
    if refused:
        raise max(refused, key=lambda error: str(error).count("\n"))


def _try_network(path: Path, scratch: Path) -> None:
    """`load_model`; a network of a configuration that was built before is used again, which saves most of the time."""
    from keras_models.checkpoints import loading

    if not hasattr(loading, "built"):
        loading.built, loading.build = {}, loading._build
        loading._build = _build_once
    loading.load_model(path)


def _build_once(network: Any, config: dict, options: dict) -> Any:
    from keras_models.checkpoints import loading

    key = repr((network, sorted(config.items(), key=repr)))
    if key not in loading.built:
        loading.built[key] = loading.build(network, config, options)
    return loading.built[key]


def _try_tflite(path: Path, scratch: Path) -> None:
    """`inspect`, then what `upscale --model` does with a small photo."""
    from conversion.engines.whole_image import open_engine
    from conversion.measuring.inspection import inspect_tflite
    from conversion.upscaling.pipeline import upscale_array
    from keras_models.system.errors import MobileSRError

    problem = None
    try:
        inspection = inspect_tflite(path)
        json.dumps(inspection.as_json())
        inspection.as_text()
    except MobileSRError as error:
        problem = error
    image = np.random.default_rng(0).random((20, 24, 3), np.float32)
    upscale_array(image, open_engine(path, threads=1))
    if problem is not None:
        raise problem


def _try_onnx(path: Path, scratch: Path) -> None:
    """What `convert` does before onnx2tf, then `evaluate`."""
    from conversion.onnx.route import read_and_rewrite
    from conversion.source import ModelSource
    from keras_models.system.errors import MobileSRError

    problem = None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            read_and_rewrite(path, Path(folder), None, None)
        except MobileSRError as error:
            problem = error
    ModelSource.of(path).predictor(1).run(np.zeros((9, 7, 3), np.float32))
    if problem is not None:
        raise problem


def _try_models_json(path: Path, scratch: Path) -> None:
    """`convert --android FOLDER` into a folder that has such a list."""
    from conversion.android_export import add_to_android

    (scratch / "models.json").write_bytes(path.read_bytes())
    add_to_android(seeds.card(), seeds_of(path) / "nearest.tflite", scratch)
    assert seeds.card().name in {entry["name"] for entry in json.loads((scratch / "models.json").read_text())["models"]}


def seeds_of(trial: Path) -> Path:
    """The folder of good files that belongs to a trial's file."""
    return trial.parents[1] / "seeds"


def _try_card(path: Path, scratch: Path) -> None:
    """The card beside a weights file."""
    from conversion.source import ModelSource

    facts = ModelSource.of(path.with_suffix(".safetensors")).facts
    f"{facts.get('licence', 'unknown')} {facts.get('credit', 'unknown')}"


def _try_log(path: Path, scratch: Path) -> None:
    """What `benchmark --adb` does with the phone's answer."""
    from conversion.measuring.benchmark.log import parse_log

    parse_log(path.read_bytes().decode(errors="replace"))


def _try_run(path: Path, scratch: Path) -> None:
    """`train --out RUN` on a run that is there."""
    from keras_models.training.run_folder import RunFiles

    (scratch / "last.npz").write_bytes(path.read_bytes())
    files = RunFiles(scratch)
    checkpoint = files.read()
    assert checkpoint is not None
    files.restore(checkpoint, [_Variable(shape) for shape in seeds.RUN_SHAPES])


class _Variable:
    """Of a network in training."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def assign(self, array: np.ndarray) -> None:
        """As TensorFlow's."""
        np.empty(self.shape, np.float32)[...] = array


_PILLOW = ("PIL.Image", "pi_heif", "conversion.upscaling.libvips", "conversion.upscaling.pipeline", "conversion.measuring.evaluate")
_KERAS = ("keras", "keras_models.checkpoints.loading", "keras_models.registry")
_ONNX = ("conversion.onnx.route", "conversion.engines.predictor", "onnxruntime")
_RUN = ("keras_models.training.run_folder",)
_TFLITE = ("conversion.measuring.inspection", "conversion.engines.proof")
READERS = {
    "png": Reader(".png", seeds.photos(".png"), mutations.mutate_png, _try_photo, _PILLOW),
    "jpeg": Reader(".jpg", seeds.photos(".jpg"), mutations.mutate_any, _try_photo, _PILLOW),
    "webp": Reader(".webp", seeds.photos(".webp"), mutations.mutate_any, _try_photo, _PILLOW),
    "tiff": Reader(".tif", seeds.photos(".tif"), mutations.mutate_tiff, _try_photo, _PILLOW),
    "bmp": Reader(".bmp", seeds.photos(".bmp"), mutations.mutate_any, _try_photo, _PILLOW),
    "gif": Reader(".gif", seeds.photos(".gif"), mutations.mutate_any, _try_photo, _PILLOW),
    "heic": Reader(".heic", seeds.heics, mutations.mutate_any, _try_photo, _PILLOW),
    "avif": Reader(".avif", seeds.photos(".avif"), mutations.mutate_any, _try_photo, _PILLOW),
    "phone": Reader(".jpg", seeds.phone_jpegs, mutations.mutate_any, _try_photo, _PILLOW),
    "named": Reader(".png", seeds.named_pngs, mutations.mutate_png, _try_photo, _PILLOW),
    "pth": Reader(".pth", seeds.networks(".pth"), mutations.mutate_zip({}), _try_network, _KERAS),
    "safetensors": Reader(".safetensors", seeds.networks(".safetensors"), mutations.mutate_safetensors, _try_network, _KERAS),
    "npz": Reader(".npz", seeds.networks(".npz"), mutations.mutate_zip({".npy": mutations.mutate_npy}), _try_network, _KERAS),
    "keras": Reader(".keras", seeds.networks(".keras"), mutations.mutate_zip({".json": mutations.mutate_json}), _try_network, _KERAS),
    "tflite": Reader(".tflite", seeds.tflites, mutations.mutate_tflite, _try_tflite, _TFLITE, 1000),
    "onnx": Reader(".onnx", seeds.onnxes, mutations.mutate_onnx, _try_onnx, _ONNX, 1000),
    "models.json": Reader(".json", seeds.lists, mutations.mutate_json, _try_models_json, ("conversion.android_export",)),
    "card": Reader(".json", seeds.cards, mutations.mutate_json, _try_card, ("conversion.source",)),
    "log": Reader(".txt", seeds.logs, mutations.mutate_text, _try_log, ("conversion.measuring.benchmark.log",)),
    "run": Reader(".npz", seeds.runs, mutations.mutate_zip({".npy": mutations.mutate_npy}), _try_run, _RUN),
}
