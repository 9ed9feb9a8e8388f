"""The readers of outside files that `fuzz.py` tries: for each, real files to spoil, and what a command does with such a file.

The files are made on the spot, small so that a trial is quick; where ../shared lies beside the checkout, files from there and
the shipped weights join them now and then.
"""

import functools
import importlib
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_mutations as mutations
import numpy as np
from fuzz_mutations import Mutation

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
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

    scale, tile, resizable, passes = 2, (16, 16), True, 1

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """(2h, 2w, 3) of (h, w, 3)."""
        return window_nhwc.repeat(2, 0).repeat(2, 1)


def _try_photo(path: Path, scratch: Path) -> None:
    """`upscale` with libvips; then `train` and `evaluate`, which read with Pillow."""
    from conversion.evaluate import _read
    from conversion.upscaling.upscale import UpscaleOptions, upscale_file
    from keras_models.errors import MobileSRError
    from keras_models.photos import _decode, _Source

    refused = []
    target = scratch / ("out" + random.Random(path.stat().st_size).choice((".png", ".jpg", ".webp", ".tif")))
    for read in (
        lambda: upscale_file(path, target, NearestEngine(), UpscaleOptions(tile=64, halo=4, overwrite=True)),
        lambda: _decode(_Source(path.name, path, None), 2),
        lambda: _read(path),
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
    from keras_models import loading

    if not hasattr(loading, "built"):
        loading.built, loading.build = {}, loading._build
        loading._build = _build_once
    loading.load_model(path)


def _build_once(network: Any, config: dict) -> Any:
    from keras_models import loading

    key = repr((network, sorted(config.items(), key=repr)))
    if key not in loading.built:
        loading.built[key] = loading.build(network, config)
    return loading.built[key]


def _try_tflite(path: Path, scratch: Path) -> None:
    """`inspect`, then what `upscale --model` does with a small photo."""
    from conversion.inspect import inspect_tflite
    from conversion.upscaling.upscale import upscale_array
    from conversion.whole_image import open_engine
    from keras_models.errors import MobileSRError

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
    from conversion.predictors import open_predictor
    from keras_models.errors import MobileSRError

    problem = None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            read_and_rewrite(path, Path(folder), None, None)
        except MobileSRError as error:
            problem = error
    open_predictor(path, 1).run(np.zeros((9, 7, 3), np.float32))
    if problem is not None:
        raise problem


def _try_models_json(path: Path, scratch: Path) -> None:
    """`convert --android FOLDER` into a folder that has such a list."""
    from conversion.android_export import add_to_android

    (scratch / "models.json").write_bytes(path.read_bytes())
    add_to_android(_card(), seeds_of(path) / "nearest.tflite", scratch)
    assert _card().name in {entry["name"] for entry in json.loads((scratch / "models.json").read_text())["models"]}


def seeds_of(trial: Path) -> Path:
    """The folder of good files that belongs to a trial's file."""
    return trial.parents[1] / "seeds"


def _try_card(path: Path, scratch: Path) -> None:
    """The card beside a weights file."""
    from conversion.card import source_facts

    facts = source_facts(path.with_suffix(".safetensors"))
    f"{facts.get('licence', 'unknown')} {facts.get('credit', 'unknown')}"


def _try_log(path: Path, scratch: Path) -> None:
    """What `benchmark --adb` does with the phone's answer."""
    from conversion.benchmark.log import parse_log

    parse_log(path.read_bytes().decode(errors="replace"))


def _try_run(path: Path, scratch: Path) -> None:
    """`train --out RUN` on a run that is there."""
    from keras_models.run_files import RunFiles

    (scratch / "last.npz").write_bytes(path.read_bytes())
    RunFiles(scratch).read()


def _photos(suffix: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        from PIL import Image

        coarse = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 6, 4), np.uint8))
        smooth = coarse.resize((45, 38), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[274], exif[270] = 6, "a picture"
        ways: dict[str, list[tuple[str, dict]]] = {
            ".png": [("RGB", {}), ("RGBA", {"exif": exif}), ("L", {}), ("P", {}), ("1", {}), ("I;16", {}), ("LA", {"dpi": (300, 300)})],
            ".jpg": [("RGB", {}), ("L", {"progressive": True}), ("CMYK", {}), ("RGB", {"exif": exif, "subsampling": 2})],
            ".webp": [("RGB", {}), ("RGBA", {"lossless": True}), ("RGB", {"exif": exif, "quality": 20})],
            ".tif": [("RGB", {}), ("RGBA", {"compression": "tiff_lzw"}), ("L", {"compression": "tiff_adobe_deflate"}), ("1", {})]
            + [("RGB", {"compression": "jpeg"}), ("P", {}), ("I;16", {}), ("RGB", {"compression": "packbits", "exif": exif}), ("CMYK", {})],
            ".bmp": [("RGB", {}), ("P", {}), ("1", {}), ("L", {})],
            ".gif": [("P", {}), ("L", {})],
        }
        paths = []
        for number, (mode, options) in enumerate(ways[suffix]):
            picture = smooth.convert("RGB").convert("L").convert(mode) if mode == "I;16" else smooth.convert("RGB").convert(mode)
            paths.append(folder / f"{number}{suffix}")
            picture.save(paths[-1], **options)
        real = sorted((SHARED / "data" / "Set5").glob("LRx4/*")) + sorted((SHARED / "data" / "train").glob("*"))[:1]
        for path in real[:1] + real[-1:]:
            with Image.open(path) as picture:
                paths.append(folder / f"{path.stem}{suffix}")
                picture.convert("P" if suffix == ".gif" else "RGB").crop((0, 0, 300, 200)).save(paths[-1])
        return paths

    return make


def _networks(suffix: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        from keras_models.checkpoint import state_of
        from keras_models.lkdn import LKDN
        from keras_models.mafdn import MAFDN

        _seed_keras()
        small = {"scale": 2, "features": 4, "blocks": 1}
        models = [
            LKDN(**small, attention_channels=2),
            LKDN(**small, attention_channels=2, step="BSConvU_rep", upsampler="rep"),
            MAFDN(**small, distilled=2, reduction=2),
        ]
        paths = []
        for number, model in enumerate(models):
            path = folder / f"{number}{suffix}"
            paths.append(path)
            state = state_of(model)
            if suffix == ".keras":
                model.save(path)
            elif suffix == ".npz":
                (np.savez if number else np.savez_compressed)(path, **state)
            elif suffix == ".safetensors":
                from safetensors.numpy import save_file

                save_file(state, path, metadata={"format": "pt"})
            else:
                write_torch({"params": state} if number else state, path)
        real = {".pth": [SHARED / "reference/LKDN-S_x4.pth"], ".safetensors": [ROOT / "keras_models/weights/lkdn-s-x4.safetensors"]}
        return paths + [path for path in real.get(suffix, []) if path.is_file()]

    return make


def _tflites(folder: Path) -> list[Path]:
    tiny = _tiny_models()
    names = ("nearest", "random", "fixed", "int8", "classifier", "uneven", "free_size")
    paths = [folder / f"{name}.tflite" for name in names]
    for name, path in zip(names, paths):
        path.write_bytes(tiny._GRAPHS[name]())
    from conversion.convert import convert
    from conversion.tflite.file import with_metadata
    from keras_models.lkdn import LKDN
    from keras_models.mafdn import MAFDN

    _seed_keras()
    paths[0].write_bytes(with_metadata(paths[0].read_bytes(), {"name": "nearest", "scale": 2}))
    for name, model in (("lkdn", LKDN(2, 4, 2, 1)), ("mafdn", MAFDN(2, 4, 2, 1, reduction=2))):
        model.save(folder / f"{name}.keras")
        paths.append(folder / f"{name}.tflite")
        convert(folder / f"{name}.keras", paths[-1], tile=(16, 16), allow_overflow=True, card_beside=False, whole_image=True)
    return [*paths, ROOT / "keras_models/weights/lkdn-s-x4.tflite"]


def _seed_keras() -> None:
    """The networks' first weights are the same in every run: so are the trials."""
    import keras

    keras.utils.set_random_seed(0)


def _tiny_models() -> Any:
    if str(ROOT / "tests") not in sys.path:
        sys.path.append(str(ROOT / "tests"))
    return importlib.import_module("tiny_models")


def _onnxes(folder: Path) -> list[Path]:
    from conversion.onnx.export import export_onnx
    from keras_models.lkdn import LKDN
    from keras_models.mafdn import MAFDN

    _seed_keras()
    paths = []
    for name, model in (("lkdn", LKDN(2, 4, 2, 1)), ("mafdn", MAFDN(2, 4, 2, 1, reduction=2))):
        model.save(folder / f"{name}.keras")
        paths += [folder / f"{name}.onnx", folder / f"{name}_16x16.onnx"]
        export_onnx(folder / f"{name}.keras", paths[-2], None)
        paths[-1].write_bytes(_of_fixed_size(paths[-2].read_bytes()))
    paths += [paths[1], paths[3]] * 3  # the small ones more often: the others are read at 128x128
    return paths + [path for path in [SHARED / "reference/LKDN-S_x4_64x64.onnx"] if path.is_file()]


def _of_fixed_size(data: bytes) -> bytes:
    import onnx

    model = onnx.ModelProto.FromString(data)
    for side, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 16, 16)):
        side.dim_value = size
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model.SerializeToString()


def _lists(folder: Path) -> list[Path]:
    path = folder / "models.json"
    (folder / "nearest.tflite").write_bytes(_tiny_models()._GRAPHS["nearest"]())
    entry = {key: value for key, value in _card().as_json().items() if key not in ("tools", "statistics")}
    entries = [{**entry, "name": name, "file": f"{name}.tflite", "golden": {"input": "a.png", "output": "b.png"}} for name in "ab"]
    path.write_text(json.dumps({"schema": 1, "models": entries}))
    return [path]


def _cards(folder: Path) -> list[Path]:
    path = folder / "card.json"
    path.write_text(json.dumps({**_card().as_json(), "quality": {"Set5": {"psnr_y": 30.1}}}))
    return [path, ROOT / "keras_models/weights/lkdn-s-x4.json"]


def _logs(folder: Path) -> list[Path]:
    recorded = SHARED / "android/benchmark_logs.txt"
    text = recorded.read_text() if recorded.is_file() else "@@ one\n" + _LOG
    paths = []
    for number, section in enumerate(text.split("@@ ")[1:]):
        paths.append(folder / f"{number}.txt")
        paths[-1].write_text(section.partition("\n")[2])
    return paths


_LOG = """INFO: Num threads: [4]
VERBOSE: Replacing 118 out of 121 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 4 partitions for subgraph 0.
INFO: count=6 first=101220 curr=88120 min=87651 max=101220 avg=91034.2 std=4701 p5=87651 median=88904 p95=101220
INFO: Inference timings in us: Init: 21482, First inference: 101220, Warmup (avg): 91034.2, Inference (avg): 89015.4
INFO: Overall peak memory footprint (MB) via periodic monitoring: 74.2109
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[name]
\tCONV_2D\t0.5\t0.6\t61.0%\t61.0%\t0.000\t1\t[upscaled]:0
"""


def _runs(folder: Path) -> list[Path]:
    from keras_models.run_files import Checkpoint, RunFiles

    (folder / "run").mkdir()
    RunFiles(folder / "run").write(Checkpoint(3, [np.ones((2, 3), np.float32), np.zeros(4, np.int64)], {"settings": {"preset": "x"}}))
    return [folder / "run" / "last.npz"]


@functools.cache
def _card() -> Any:
    from conversion.card import Card

    facts = {"name": "nearest", "family": "unknown", "scale": 2, "tile": (16, 16), "halo": 4, "receptive_radius": None}
    facts |= {"range": (0.0, 1.0), "recipe": "float32", "half_max": 1.0, "source": "nowhere", "weights_sha256": "", "parameters": 12}
    return Card(**facts, multi_adds=1, licence="MIT", credit="nobody", tools={})


def write_torch(content: dict, path: Path) -> None:
    """A .pth as `torch.save` lays it out, without PyTorch: strings, numbers, dicts and float arrays."""
    import pickle
    import zipfile

    storages: list[np.ndarray] = []

    class Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python, which can be taught new opcodes
        dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

        def save_array(self, array: np.ndarray) -> None:
            strides = tuple(s // array.itemsize for s in np.ascontiguousarray(array).strides)
            self.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
            self.write(b"(")
            self.save("storage")
            self.write(b"ctorch\nFloatStorage\n")
            for part in (str(len(storages)), "cpu", array.size):
                self.save(part)
            self.write(b"tQ")
            for part in (0, tuple(array.shape), strides, False):
                self.save(part)
            self.write(b"ccollections\nOrderedDict\n)RtR")
            storages.append(np.ascontiguousarray(array, "<f4"))

        dispatch[np.ndarray] = save_array

    text = io.BytesIO()
    Pickler(text, 2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", text.getvalue())
        for number, storage in enumerate(storages):
            archive.writestr(f"archive/data/{number}", storage.tobytes())
        archive.writestr("archive/version", "3\n")


_PILLOW = ("PIL.Image", "pyvips", "conversion.upscaling.upscale", "conversion.evaluate", "keras_models.photos")
_KERAS = ("keras", "keras_models.loading", "keras_models.networks")
_ONNX = ("conversion.onnx.route", "conversion.predictors", "onnxruntime")
READERS = {
    "png": Reader(".png", _photos(".png"), mutations.mutate_png, _try_photo, _PILLOW),
    "jpeg": Reader(".jpg", _photos(".jpg"), mutations.mutate_any, _try_photo, _PILLOW),
    "webp": Reader(".webp", _photos(".webp"), mutations.mutate_any, _try_photo, _PILLOW),
    "tiff": Reader(".tif", _photos(".tif"), mutations.mutate_tiff, _try_photo, _PILLOW),
    "bmp": Reader(".bmp", _photos(".bmp"), mutations.mutate_any, _try_photo, _PILLOW),
    "gif": Reader(".gif", _photos(".gif"), mutations.mutate_any, _try_photo, _PILLOW),
    "pth": Reader(".pth", _networks(".pth"), mutations.mutate_zip({}), _try_network, _KERAS),
    "safetensors": Reader(".safetensors", _networks(".safetensors"), mutations.mutate_safetensors, _try_network, _KERAS),
    "npz": Reader(".npz", _networks(".npz"), mutations.mutate_zip({".npy": mutations.mutate_npy}), _try_network, _KERAS),
    "keras": Reader(".keras", _networks(".keras"), mutations.mutate_zip({".json": mutations.mutate_json}), _try_network, _KERAS),
    "tflite": Reader(".tflite", _tflites, mutations.mutate_tflite, _try_tflite, ("conversion.inspect", "conversion.whole_image"), 1000),
    "onnx": Reader(".onnx", _onnxes, mutations.mutate_onnx, _try_onnx, _ONNX, 1000),
    "models.json": Reader(".json", _lists, mutations.mutate_json, _try_models_json, ("conversion.android_export",)),
    "card": Reader(".json", _cards, mutations.mutate_json, _try_card, ("conversion.card",)),
    "log": Reader(".txt", _logs, mutations.mutate_text, _try_log, ("conversion.benchmark.log",)),
    "run": Reader(".npz", _runs, mutations.mutate_zip({".npy": mutations.mutate_npy}), _try_run, ("keras_models.run_files",)),
}
