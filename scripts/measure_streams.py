"""Whole photos: one engine on all cores or an engine a core, by the side of a tile: megapixels of the photo a second, in Markdown.

    python scripts/measure_streams.py PHOTO MODEL.tflite... [--tiles 128,256,384,512] [--rounds 3] [--cores 2]

Inference of all of a photo's tiles alone, interleaved; medians. Every engine keeps its own memory.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from interleaved import interleaved
from script import run

from conversion.engines.cpu import CpuEngine
from conversion.upscaling.planning import plan_image
from conversion.upscaling.tiles import TilePlan
from keras_models.data.read_rgb import read_rgb

Tiles = Annotated[str, typer.Option(help="Sides of a tile's core.")]


def main(photo: Path, models: list[Path], tiles: Tiles = "128,256,384,512", rounds: int = 3, cores: int = 2) -> None:
    """Prints a row for each model and tile."""
    image = read_rgb(photo).astype(np.float32) / 255
    sys.stdout.write(f"| file | tile | one engine of {cores} threads | {cores} engines of one | ratio |\n|---|---|---|---|---|\n")
    for model in models:
        for tile in map(int, tiles.split(",")):
            together, apart = CpuEngine(model, cores), [CpuEngine(model, 1) for _ in range(cores)]
            plan = plan_image(*image.shape[:2], together, tile, None)
            jobs = {"together": partial(_run, image, plan, [together]), "apart": partial(_run, image, plan, apart)}
            times = interleaved(jobs, rounds)
            one, two = (image.shape[0] * image.shape[1] / 1e3 / np.median(times[name]) for name in jobs)
            sys.stdout.write(f"| {model.stem} | {tile} | {one:.3f} | {two:.3f} | {two / one:.3f} |\n")
            sys.stdout.flush()


def _run(image: np.ndarray, plan: TilePlan, engines: list[CpuEngine]) -> None:
    free = list(engines)

    def tile(rows: slice, columns: slice) -> None:
        engine = free.pop()
        engine.run(np.ascontiguousarray(image[rows, columns]))
        free.append(engine)

    with ThreadPoolExecutor(len(engines)) as pool:
        waiting = [pool.submit(tile, slice(row.start, row.stop), slice(column.start, column.stop)) for row, column in plan]
        for future in waiting:
            future.result()


if __name__ == "__main__":
    run(main, __doc__)
