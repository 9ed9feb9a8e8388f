"""How long opening a model takes before its first tile can run, each time in a fresh process: minimum / median of ten, ms.

    python scripts/measure_open.py [MODEL.tflite] [--against OTHER_TREE] [--unproven]

With `--against` another checkout of this project takes turns with this one; `--unproven` forgets before each time what this machine knows
of the file.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from script import run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 10
_PROGRAM = """
import os, sys, time
start = time.perf_counter()
if os.path.isdir("conversion/engines"):
    from conversion.engines.whole_image import open_engine
else:  # a tree from before there was a package of engines
    from conversion.whole_image import open_engine
engine = open_engine(sys.argv[1])
engine.bytes_per_pixel
print((time.perf_counter() - start) * 1000)
"""


def main(
    model: Annotated[Path, typer.Argument()] = ROOT / "keras_models/weights/lkdn-s-x4.tflite",
    against: Annotated[Path | None, typer.Option()] = None,
    unproven: Annotated[bool, typer.Option("--unproven")] = False,
) -> None:
    """Prints one line a tree."""
    trees = [ROOT] + ([against.resolve()] if against is not None else [])
    taken: dict[Path, list[float]] = {tree: [] for tree in trees}
    for _ in range(ROUNDS):
        for tree in trees:
            command = [sys.executable, "-c", _PROGRAM, str(model.resolve())]
            with tempfile.TemporaryDirectory() as empty:
                environment = {**os.environ, "PYTHONPATH": str(tree)} | ({"XDG_CACHE_HOME": empty} if unproven else {})
                done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=True)
            taken[tree].append(float(done.stdout))
    for tree, times in taken.items():
        sys.stdout.write(f"{tree.name}: {min(times):.0f} / {statistics.median(times):.0f} ms\n")


if __name__ == "__main__":
    run(main, __doc__)
