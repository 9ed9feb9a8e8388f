"""What an int8 file costs beside the float32 file of the same network, on this machine, one interleaved run a cell.

    python scripts/measure_int8.py --model lkdn-s=INT8.tflite,FLOAT32.tflite [--model ...] [--data Set5 --data Set14] [--photo PHOTO]

A third file, NAME=INT8.tflite,FLOAT32.tflite,INT8.xml, is OpenVINO's own int8 of the network (scripts/nncf_int8.py makes one); OpenVINO
is left out where it is not installed. Milliseconds are of `invoke` alone, minimum / median; "as it is" is the file on disk,
"as run" the form that our CPU engine makes of it. With --data the two are compared bit by bit on every tile of every photo, and on
noise. --cpu-time takes the processor's time instead of the clock's, which other work on the machine changes less; for one thread.
--photo is upscaled from file to file by `upscale`'s own code.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from interleaved import interleaved
from peer_engines import Timed, litert
from script import run

from conversion.commands.options import parse_size
from conversion.engines.cpu_form import place_of_form
from conversion.engines.proof import prove
from conversion.engines.whole_image import open_engine
from conversion.tflite.partitions import cpu_partitions
from conversion.upscaling.pipeline import upscale_file
from keras_models.data.read_rgb import read_rgb
from keras_models.system.errors import ModelError

say = sys.stdout.write
NOISE_TILES = 8


def main(
    model: Annotated[list[str], typer.Option()],
    sizes: str = "64x64,180x320",
    threads: str = "1,2",
    rounds: Annotated[int, typer.Option(min=3)] = 40,
    data: Annotated[list[Path] | None, typer.Option()] = None,
    photo: Path | None = None,
    cpu_time: bool = False,
) -> None:
    """Prints Markdown."""
    clock = time.process_time if cpu_time else time.perf_counter
    networks = {name: [Path(p) for p in paths.split(",")] for name, _, paths in (text.partition("=") for text in model)}
    if any(len(files) not in (2, 3) for files in networks.values()):
        raise ModelError("--model: give NAME=INT8.tflite,FLOAT32.tflite, and OpenVINO's .xml behind them if there is one")
    forms = {name: _as_run(files[0]) for name, files in networks.items()}
    say("| network | XNNPACK partitions, as it is | as run | bytes, as it is | as run | equal bit by bit |\n|---|---|---|---|---|---|\n")
    for name, files in networks.items():
        pieces = cpu_partitions(files[0]), cpu_partitions(forms[name])
        sides = files[0].stat().st_size, forms[name].stat().st_size
        say(f"| {name} | {pieces[0]} | {pieces[1]} | {sides[0]:,} | {sides[1]:,} | {_equal(files[0], forms[name], data or [])} |\n")
    say("\n| network | size | threads | float32 ms | int8 as it is | as run | OpenVINO int8 | as it is / float32 | **as run / float32** "
        "| as run / OpenVINO |\n|---|---|---|---|---|---|---|---|---|---|\n")  # fmt: skip
    for name, files in networks.items():
        for size in sizes.split(","):
            for count in threads.split(","):
                _cell(name, files, forms[name], parse_size(size, "--sizes"), int(count), partial(interleaved, rounds=rounds, clock=clock))
    if photo is not None:
        say("\n| network | photo, float32 Mpixel/s | int8 | times |\n|---|---|---|---|\n")
        for name, files in networks.items():
            _photo(name, files, photo)


def _as_run(file: Path) -> Path:
    form = prove(file).cpu_form
    return file if form is None else place_of_form(form)


def _cell(name: str, files: list[Path], form: Path, size: tuple[int, int], threads: int, timed: Callable) -> None:
    height, width = size
    rng = np.random.default_rng(0)
    engines = {"float32": litert(files[1], height, width, threads)}
    engines |= {key: litert(path, height, width, threads) for key, path in (("plain", files[0]), ("form", form))}
    for key, engine in engines.items():
        engine.feed(
            rng.random((1, height, width, 3), np.float32) if key == "float32" else rng.integers(-128, 128, (1, height, width, 3), np.int8)
        )
    if len(files) == 3 and (peer := _openvino(files[2], height, width, threads)) is not None:
        engines["openvino"] = peer
    times = timed({key: engine.go for key, engine in engines.items()})
    least, middle = ({key: float(kind(values)) for key, values in times.items()} for kind in (np.min, np.median))
    ms = [f"{least[key]:.2f} / {middle[key]:.2f}" if key in times else "-" for key in ("float32", "plain", "form", "openvino")]

    def ratio(one: str, other: str) -> str:
        return f"{least[one] / least[other]:.3f} / {middle[one] / middle[other]:.3f}" if other in times else "-"

    ratios = [ratio("plain", "float32"), f"**{ratio('form', 'float32')}**", ratio("form", "openvino")]
    say(f"| {name} | {height}x{width} | {threads} | {' | '.join(ms)} | {' | '.join(ratios)} |\n")
    sys.stdout.flush()


def _openvino(file: Path, height: int, width: int, threads: int) -> Timed | None:
    """OpenVINO's own int8 file (NCHW), as `peer_engines.openvino` runs one in float32."""
    try:
        import openvino as ov
    except ImportError:
        return None
    core = ov.Core()
    network = core.read_model(str(file))
    network.reshape([1, 3, height, width])
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    request.get_input_tensor().data[:] = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    return Timed(lambda image: None, lambda: request.infer(), lambda: np.array(request.get_output_tensor().data))


def _equal(plain: Path, form: Path, folders: list[Path]) -> str:
    """How many tiles came out alike in both forms; tiles of the file's own size, cut from the small photos, and noise."""
    height, width = open_engine(plain).tile
    pair = [litert(path, height, width, 1) for path in (plain, form)]
    rng = np.random.default_rng(0)
    tiles = [rng.integers(-128, 128, (1, height, width, 3), np.int8) for _ in range(NOISE_TILES)]
    for folder in folders:
        for file in sorted((folder / "LRx4" if (folder / "LRx4").is_dir() else folder).glob("*.png")):
            photo = read_rgb(file)
            reach = [0, height], [0, width]
            filled = np.pad(photo, [(a, max(0, side - have)) for (a, side), have in zip(reach, photo.shape)] + [(0, 0)], mode="symmetric")
            rows, columns = (range(0, have - side + 1, side) for have, side in zip(filled.shape, (height, width)))
            tiles += [(filled[None, r : r + height, c : c + width].astype(np.int16) - 128).astype(np.int8) for r in rows for c in columns]
    alike = sum(bool(np.array_equal(*(engine(tile) for engine in pair))) for tile in tiles)
    return f"{alike} of {len(tiles)} tiles"


def _photo(name: str, files: list[Path], photo: Path, rounds: int = 3) -> None:
    megapixels = np.prod(read_rgb(photo).shape[:2]) / 1e6
    engines = {"float32": open_engine(files[1]), "int8": open_engine(files[0])}
    speed: dict[str, list[float]] = {key: [] for key in engines}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for key, engine in engines.items():
                start = time.perf_counter()
                upscale_file(photo, Path(folder) / f"{key}{number}.png", engine)
                speed[key].append(megapixels / (time.perf_counter() - start))
    best, middle = ({key: float(kind(values)) for key, values in speed.items()} for kind in (np.max, np.median))
    shown = " | ".join(f"{best[key]:.3f} / {middle[key]:.3f}" for key in engines)
    say(f"| {name} | {shown} | {best['int8'] / best['float32']:.2f} / {middle['int8'] / middle['float32']:.2f} |\n")


if __name__ == "__main__":
    run(main, __doc__)
