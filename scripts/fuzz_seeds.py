"""Good files for `fuzz_readers.py` to spoil, made on the spot and small, so that a trial is quick.

Where ../shared lies beside the checkout, files from there and the shipped weights join them now and then.
"""

import functools
import importlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def photos(suffix: str) -> Callable[[Path], list[Path]]:
    """A maker of photos of every mode that the format has."""

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
            ".avif": [("RGB", {"exif": exif}), ("RGBA", {}), ("L", {"quality": 100})],
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


def heics(folder: Path) -> list[Path]:
    """HEIC files of 8 and 10 bits, grey, transparent, turned."""
    odd, smooth = _odd_photos(), _support("photos").smooth
    deep = smooth(38, 45).astype(np.uint16) * 257
    ways = [smooth(38, 45), smooth(38, 45, 4), smooth(38, 45, 1), deep]
    paths = [folder / f"{number}.heic" for number in range(len(ways))]
    for path, samples in zip(paths, ways):
        path.write_bytes(odd.heic(samples))
    return paths


def phone_jpegs(folder: Path) -> list[Path]:
    """Ultra HDR of both kinds, with all that a phone writes beside, and a JPEG of several pictures."""
    odd, photos = _odd_photos(), _support("photos")
    upright = photos.smooth(38, 46)
    blocks = {"exif": photos.exif(6).tobytes(), "xmp": odd.xmp(6), "icc-profile": photos.profile()}
    ways = [odd.ultra_hdr(upright, 6, 3, **blocks), odd.ultra_hdr(upright), odd.ultra_hdr_by_xmp(upright)]
    ways.append(odd.with_mpf(odd.jpeg(upright, exif=photos.exif(6), xmp=odd.xmp(6)), odd.jpeg(upright)))
    paths = [folder / f"{number}.jpg" for number in range(len(ways))]
    for path, content in zip(paths, ways):
        path.write_bytes(content)
    return paths


def named_pngs(folder: Path) -> list[Path]:
    """PNGs with every chunk that is looked at, and an APNG of one frame."""
    odd, photos = _odd_photos(), _support("photos")
    corners = np.array([31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000], ">u4").tobytes()
    gamma, texts = (b"gAMA", (55556).to_bytes(4, "big")), [(b"tEXt", b"Title\0x"), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + odd.xmp(6))]
    exif = (b"eXIf", photos.exif(6).tobytes().removeprefix(b"Exif\0\0"))
    frame = [(b"acTL", (1).to_bytes(4, "big") + bytes(4)), (b"fcTL", bytes(26))]
    ways = [[gamma, (b"cHRM", corners), *texts, exif], [(b"cICP", bytes((12, 13, 0, 1))), (b"pHYs", bytes(9))], frame]
    paths = [folder / f"{number}.png" for number in range(len(ways))]
    for path, chunks in zip(paths, ways):
        path.write_bytes(odd.png(photos.smooth(38, 45), *chunks))
    return paths


def _odd_photos() -> Any:
    return _support("odd_photos")


def _support(name: str) -> Any:
    if str(ROOT / "tests") not in sys.path:
        sys.path.append(str(ROOT / "tests"))
    return importlib.import_module(f"support.{name}")


def networks(suffix: str) -> Callable[[Path], list[Path]]:
    """A maker of tiny networks' weights."""

    def make(folder: Path) -> list[Path]:
        from keras_models.checkpoints.network_weights import state_of
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
        paths += _other_forms(folder, suffix, state_of(models[0]))
        real = {".pth": [SHARED / "reference/LKDN-S_x4.pth"], ".safetensors": [ROOT / "keras_models/weights/lkdn-s-x4.safetensors"]}
        return paths + [path for path in real.get(suffix, []) if path.is_file()]

    return make


def _other_forms(folder: Path, suffix: str, state: dict[str, np.ndarray]) -> list[Path]:
    """The same weights as a trainer, an old PyTorch, and a large model's publisher would save them."""
    hostile = _support("hostile_files")
    paths = [folder / f"{name}{suffix}" for name in ("wrapped", "legacy", "short")]
    if suffix == ".pth":
        prefixed = {f"module._orig_mod.{name}": array for name, array in state.items()}
        write_torch({"epoch": 3, "net_g": prefixed, "optimizer": {"state": {0: {"exp_avg": np.zeros(3, np.float32)}}}}, paths[0])
        paths[1].write_bytes(hostile.pth_legacy(state))
        return paths[:2]
    if suffix == ".safetensors":
        import ml_dtypes

        header, data = {}, b""
        for place, (name, array) in enumerate(state.items()):
            word, dtype = (("BF16", ml_dtypes.bfloat16), ("F8_E4M3", ml_dtypes.float8_e4m3fn), ("F16", np.float16))[place % 3]
            row = array.astype(dtype).tobytes()
            header[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(row)]}
            data += row
        paths[2].write_bytes(hostile.safetensors_of(header, data))
        return paths[2:]
    return []


def tflites(folder: Path) -> list[Path]:
    """Tiny .tflite files of many kinds, and the shipped one."""
    tiny = _tiny_models()
    names = ("nearest", "random", "fixed", "int8", "classifier", "uneven", "free_size")
    paths = [folder / f"{name}.tflite" for name in names]
    for name, path in zip(names, paths):
        path.write_bytes(tiny._GRAPHS[name]())
    from conversion.convert_model import convert
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
    return _support("tiny_models")


def onnxes(folder: Path) -> list[Path]:
    """Tiny networks as ONNX, of free and of fixed size."""
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


def lists(folder: Path) -> list[Path]:
    """A models.json with the model that it names."""
    path = folder / "models.json"
    (folder / "nearest.tflite").write_bytes(_tiny_models()._GRAPHS["nearest"]())
    entry = {key: value for key, value in card().as_json().items() if key not in ("tools", "statistics")}
    entries = [{**entry, "name": name, "file": f"{name}.tflite", "golden": {"input": "a.png", "output": "b.png"}} for name in "ab"]
    path.write_text(json.dumps({"schema": 1, "models": entries}))
    return [path]


def cards(folder: Path) -> list[Path]:
    """Model cards."""
    path = folder / "card.json"
    path.write_text(json.dumps({**card().as_json(), "quality": {"Set5": {"psnr_y": 30.1}}}))
    return [path, ROOT / "keras_models/weights/lkdn-s-x4.json"]


def logs(folder: Path) -> list[Path]:
    """What benchmark_model printed."""
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


RUN_SHAPES = ((2, 3), (4,))
"""Of the variables of the run that `runs` makes."""


def runs(folder: Path) -> list[Path]:
    """A checkpoint of a training run."""
    from keras_models.training.run_folder import Checkpoint, RunFiles

    (folder / "run").mkdir()
    facts = {"settings": {"preset": "x"}, "seconds": 1.5, "best": 30.5, "rows": [{"step": 2, "loss": 0.5}]}
    RunFiles(folder / "run").write(Checkpoint(3, [np.ones(RUN_SHAPES[0], np.float32), np.zeros(RUN_SHAPES[1], np.int64)], facts))
    return [folder / "run" / "last.npz"]


@functools.cache
def card() -> Any:
    """A model card."""
    from conversion.model_card import Card

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
            strides = tuple(s // array.itemsize for s in array.copy("C").strides)  # of no dimension none
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
