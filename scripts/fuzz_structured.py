"""Files that ask for much: the generators of `tests/support/hostile_files.py` with sizes drawn around every limit.

A size is drawn evenly on a logarithmic scale, so that as many files lie far below a limit as far above.
"""

import importlib
import math
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARE = 0.1
"""Of a reader's files."""

Maker = Callable[[random.Random], bytes]
_FLOODS = (b"(", b"]", b"}", b")", b"(t", b"N", b"\x8a\xff" + b"\x7f" * 255, b"ccollections\nOrderedDict\n", b"X\1\0\0\0a", b"cA\nB\n")


def _files() -> Any:
    if str(ROOT / "tests") not in sys.path:
        sys.path.append(str(ROOT / "tests"))
    return importlib.import_module("support.hostile_files")


def _of(name: str, *mosts: int) -> Maker:
    """A generator by its name, each argument from 1 to its largest."""

    def make(dice: random.Random) -> bytes:
        return getattr(_files(), name)(*(round(math.exp(dice.uniform(0, math.log(most)))) for most in mosts))

    return make


def _flood(dice: random.Random) -> bytes:
    return _files().pth_flood(round(math.exp(dice.uniform(5, math.log(6 << 20)))), dice.choice(_FLOODS))


def _deep_keras(dice: random.Random) -> bytes:
    """A .keras whose weights are groups within groups."""
    import io
    import zipfile

    target, depth = io.BytesIO(), round(math.exp(dice.uniform(0, math.log(3000))))
    config = b'{"class_name": "LKDN", "config": {"scale": 2, "features": 4, "attention_channels": 2, "blocks": 1}}'
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(target, "w") as archive:
        path = Path(folder) / "a.h5"
        _files().hdf5_deep(path, depth, round(math.exp(dice.uniform(0, math.log(20_000 / depth + 2)))))
        archive.writestr("config.json", config)
        archive.write(path, "model.weights.h5")
    return target.getvalue()


STRUCTURED: dict[str, tuple[Maker, ...]] = {
    "pth": (
        _of("pth_colliding_keys", 200_000),
        _of("pth_numbered", 300_000),
        _of("pth_nested_key", 3000),
        _of("pth_rank", 20_000),
        _of("pth_laughing_kind", 3000),
        _of("pth_laughing_count", 3000),
        _flood,
        _of("pth_calls", 2_000_000, 500_000),
        _of("pth_tensors", 600_000),
        _of("pth_lying", 1 << 26, 1 << 20),
        _of("zip_directory", 300_000),
    ),
    "safetensors": (_of("safetensors_empty", 300_000),),
    "npz": (_of("npz_members", 40_000), _of("zip_directory", 300_000)),
    "keras": (_deep_keras, _of("zip_directory", 300_000)),
    # An .onnx may take 4 GiB and two minutes, the fuzzer allows 2 GB and 10 s: sizes stay below.
    "onnx": (_of("onnx_zeros", 1 << 26), _of("onnx_chain", 1000), _of("onnx_branches", 20)),
    "tflite": (
        _of("tflite_shapes", 30_000, 30_000),
        _of("tflite_names", 30_000, 1 << 20),
        _of("tflite_scales", 30_000, 100_000),
        _of("tflite_variants", 30_000, 30_000),
        _of("tflite_inputs", 30_000, 100_000),
        _of("tflite_signatures", 30_000, 30_000),
        _of("tflite_metadata", 30_000, 200_000),
        _of("tflite_operators", 40_000),
    ),
}
"""Reader -> what makes such files for it."""


def structured(reader: str, dice: random.Random) -> bytes | None:
    """A file for a reader now and then; None mostly."""
    makers = STRUCTURED.get(reader)
    return dice.choice(makers)(dice) if makers and dice.random() < SHARE else None
