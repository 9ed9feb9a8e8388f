"""What `upscale` costs beyond pure inference: its time against that of its own tiles' inference alone, interleaved.

    python scripts/measure_upscale.py MODEL.tflite PHOTO [ROUNDS] [--ending .jpg]

Prints seconds of both and the ratio of the medians; the engine, its threads and the windows are the same in both.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from script import run

from conversion.engines.cpu import CpuEngine
from conversion.upscaling.images import ImageReader
from conversion.upscaling.pipeline import upscale_file
from conversion.upscaling.planning import plan_file


def main(model: Path, photo: Path, rounds: Annotated[int, typer.Argument(min=1)] = 3, ending: str = ".png") -> None:
    """Prints one line a round, then the ratio."""
    engine = CpuEngine(model)
    reader = ImageReader(photo)
    plan = plan_file(reader.kind, engine, None, None)
    window = reader.read(plan.window[0])[:, : plan.window[1], :3].astype(np.float32) / 255
    engine.run(window)
    pure, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            pure.append(_seconds(lambda: [engine.run(window) for _ in plan]))
            whole.append(_seconds(lambda i=i: upscale_file(photo, Path(folder) / f"{i}{ending}", engine)))
            sys.stdout.write(f"{len(plan)} tiles of {plan.window}: inference {pure[-1]:.2f} s, upscale {whole[-1]:.2f} s\n")
            sys.stdout.flush()
    sys.stdout.write(f"ratio of the medians {np.median(whole) / np.median(pure):.3f}\n")


def _seconds(work: object) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    run(main, __doc__)
