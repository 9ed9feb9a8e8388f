"""Our .tflite through LiteRT against other runtimes on the same machine, interleaved: milliseconds a tile, and whole photos.

    python scripts/bench_peers.py --model lkdn-s=LKDN-S_x4.tflite,LKDN-S_x4_64x64.onnx [--model ...] [--photo PHOTO]

A model is NAME=TFLITE,ONNX[,PLAIN.tflite]; the .tflite must be resizable, PLAIN is another converter's file. Every engine is first
checked against the .tflite (2e-4). One round runs each engine once, in random order; a cell takes --seconds. A ratio is that
of our minimum to the fastest peer's, below 1: ours is faster. `--photo` upscales it with `mobile-sr upscale`'s own code, and
runs the same tiles through the peers, once in the same code and once as bare tiles on as many streams as there are threads; for
nothing else give `--sizes ""`.
Peers that are not installed (scripts/requirements-peers.txt) are left out and named. Prints Markdown; --json keeps every time.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from peer_engines import Timed, litert, onnxruntime, openvino, pytorch
from script import run

from conversion.commands.options import parse_size
from conversion.engines.cpu import CpuEngine
from keras_models.system.errors import ModelError

TOLERANCE = 2e-4
OURS = "LiteRT"
say = sys.stdout.write


def main(
    model: Annotated[list[str], typer.Option()],
    sizes: str = "64x64,128x128,180x320",
    threads: str = "1,2",
    seconds: float = 14,
    photo: Path | None = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Prints the tables."""
    rows: list[dict] = []
    if not all(count.isdecimal() and int(count) for count in threads.split(",")):
        raise ModelError(f"--threads {threads}: give numbers, for example 1,2")
    counts = list(map(int, threads.split(",")))
    tiles = [parse_size(size, "--sizes") for size in filter(None, sizes.split(","))]
    for argument in model:
        name, _, paths = argument.partition("=")
        files = [Path(p) for p in paths.split(",")]
        if len(files) < 2:
            raise ModelError(f"--model {argument}: give NAME=TFLITE,ONNX")
        for tile in tiles:
            rows.extend(cell(name, files, *tile, count, seconds) for count in counts)
        if photo:
            rows.append(whole_photo(name, files, photo, max(counts)))
        if json_file:
            json_file.write_text(json.dumps({"cpus": os.cpu_count(), "rows": rows}, indent=1) + "\n")


def cell(name: str, files: list[Path], height: int, width: int, threads: int, seconds: float) -> dict:
    """One network at one size and number of threads: every engine's times, milliseconds."""
    image = test_image(height, width)
    engines = ready(makers(files, height, width, threads), image)
    times: dict[str, list[float]] = {key: [] for key in engines}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[OURS]) < 5:
        for key in random.sample(list(engines), len(engines)):
            start = time.perf_counter()
            engines[key].go()
            times[key].append((time.perf_counter() - start) * 1e3)
    fastest = min((key for key in times if key != OURS), key=lambda key: min(times[key]))
    steady = min((key for key in times if key != OURS), key=lambda key: np.median(times[key]))
    say(f"\n**{name}, {height}x{width}, {threads} thread(s)**, {len(times[OURS])} rounds, load {os.getloadavg()[0]:.1f}\n\n")
    say("| engine | min ms | median ms |\n|---|---|---|\n")
    for key, values in times.items():
        say(f"| {key} | {min(values):.2f} | {np.median(values):.2f} |\n")
    ratios = min(times[OURS]) / min(times[fastest]), float(np.median(times[OURS]) / np.median(times[steady]))
    say(f"\nours to the fastest peer: {ratios[0]:.3f} by minimum ({fastest}), {ratios[1]:.3f} by median ({steady})\n")
    sys.stdout.flush()
    return {"model": name, "size": f"{height}x{width}", "threads": threads, "ratio_min": ratios[0], "ratio_median": ratios[1], "ms": times}


def makers(files: list[Path], height: int, width: int, threads: int) -> dict[str, Callable[[], Timed]]:
    """Engine's name -> how it is made; ours first."""
    tflite, onnx, *plain = files
    made = {
        OURS: lambda: litert(tflite, height, width, threads),
        "OpenVINO, ONNX": lambda: openvino(onnx, height, width, threads),
        "OpenVINO, our .tflite": lambda: openvino(tflite, height, width, threads),
        "onnxruntime": lambda: onnxruntime(onnx, height, width, threads),
        "PyTorch": lambda: pytorch(onnx, height, width, threads),
    }
    return made | {f"LiteRT, {path.name}": lambda path=path: litert(path, height, width, threads) for path in plain}


def ready(made: dict[str, Callable[[], Timed]], image: np.ndarray) -> dict[str, Timed]:
    """The engines that are installed and agree with ours; the others are named."""
    engines: dict[str, Timed] = {}
    expected = None
    for key, make in made.items():
        try:
            engine = make()
        except ImportError as error:
            say(f"\n{key}: not installed ({error.name})\n")
            continue
        result = np.clip(engine(image), 0, 1)
        expected = result if expected is None else expected
        difference = float(np.abs(result - expected).max())
        if not difference <= TOLERANCE:
            raise SystemExit(f"{key} differs from ours by {difference:.2g}: its time means nothing")
        engines[key] = engine
    return engines


def test_image(height: int, width: int) -> np.ndarray:
    """Smooth and not constant, (1, h, w, 3) float32 in [0, 1]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([0.5 + 0.4 * np.sin(y / 5 + c) * np.cos(x / (4 + c)) for c in range(3)], -1)[None].astype(np.float32)


class PeerEngine:
    """A peer in `upscale`'s own code."""

    passes = 1
    resizable = True

    def __init__(self, engine: Timed, ours: CpuEngine, window: tuple[int, int]) -> None:
        self.engine, self.scale, self.tile, self.bytes_per_pixel = engine, ours.scale, window, ours.bytes_per_pixel
        self.halo, self.stride, self.multiple = ours.halo, ours.stride, ours.multiple

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """As `conversion.upscaling.pipeline.Engine`."""
        return self.engine(window_nhwc[None])[0]


def whole_photo(name: str, files: list[Path], photo: Path, threads: int, rounds: int = 3) -> dict:
    """Low-resolution megapixels a second of a photo: ours from file to file, peers in the same code and as bare tiles."""
    from conversion.engines.whole_image import open_engine
    from conversion.upscaling.images import ImageReader
    from conversion.upscaling.pipeline import upscale_file
    from conversion.upscaling.planning import plan_file

    kind, ours = ImageReader(photo).kind, open_engine(files[0], threads)
    plan = plan_file(kind, ours, None, None)
    image = test_image(*plan.window)
    peers = ready({k: v for k, v in makers(files, *plan.window, threads).items() if k != "PyTorch"}, image)
    single = {k: [v() for _ in range(threads)] for k, v in makers(files, *plan.window, 1).items() if k in peers and k != OURS}
    jobs: dict[str, Callable[[Path], None]] = {f"{OURS}, upscale": lambda out: upscale_file(photo, out, ours)}
    for key, engine in peers.items():
        if key != OURS:
            peer = PeerEngine(engine, ours, plan.window)
            jobs[f"{key}, in upscale"] = lambda out, peer=peer: upscale_file(photo, out, peer)
        jobs[f"{key}, bare tiles, {threads} threads"] = lambda out, engine=engine: [engine.go() for _ in plan]
    for key, engines in single.items():
        for engine in engines:
            engine(image)
        jobs[f"{key}, bare tiles, {threads} streams"] = lambda out, engines=engines: spread(engines, len(plan))
    seconds: dict[str, list[float]] = {key: [] for key in jobs}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for key in random.sample(list(jobs), len(jobs)):
                start = time.perf_counter()
                jobs[key](Path(folder) / f"{number}{abs(hash(key))}.png")
                seconds[key].append(time.perf_counter() - start)
    pixels = kind.height * kind.width / 1e6
    say(f"\n**{name}, {kind.width}x{kind.height} photo**, {len(plan)} tiles of {plan.window[0]}x{plan.window[1]}, {threads} threads\n\n")
    say("| engine | best Mpixel/s | median |\n|---|---|---|\n")
    speeds = {key: (pixels / min(v), pixels / float(np.median(v))) for key, v in seconds.items()}
    for key, (best, median) in speeds.items():
        say(f"| {key} | {best:.3f} | {median:.3f} |\n")
    fastest = max((key for key in jobs if not key.startswith(OURS)), key=lambda key: speeds[key][0])
    ratio = speeds[f"{OURS}, upscale"][0] / speeds[fastest][0]
    say(f"\nupscale to the fastest peer ({fastest}): {ratio:.3f}\n")
    sys.stdout.flush()
    return {"model": name, "photo": f"{kind.width}x{kind.height}", "threads": threads, "ratio": ratio, "seconds": seconds}


def spread(engines: list[Timed], count: int) -> None:
    """`count` tiles over engines that run side by side."""
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(lambda engine: [engine.go() for _ in range(-(-count // len(engines)))], engines))


if __name__ == "__main__":
    run(main, __doc__)
