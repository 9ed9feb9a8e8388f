"""Files on Snapdragons' NPUs, in emulation, on every tile of a folder of photos with originals: a table in Markdown.

Takes the extra `npu` (docs/npu.md); .tflite and .onnx files, none of them compiled.

    python scripts/measure_npu.py DATA FILE... --soc sm8650,sm8350
"""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from script import run

from conversion.npu.socs import DEFAULT_SOC, socs_named
from conversion.npu.verdict import NpuCheck
from conversion.npu.verify import engine_of, verify_on_npu
from keras_models.system.errors import ConversionError

COLUMNS = ("file", "SoC", "operations", "partitions", "bytes compiled", "dB to the CPU, worst and mean", "levels at most")
COLUMNS += ("CPU, dB to the originals", "NPU", "NPU less CPU")


def main(data: Path, files: list[Path], soc: Annotated[str, typer.Option(help="As of `mobile-sr compile`.")] = DEFAULT_SOC) -> None:
    """Prints a row for each file and SoC; what a SoC refuses is a row with the reason."""
    _row(*COLUMNS)
    _row(*["---"] * len(COLUMNS))
    for file in files:
        engine = engine_of(file)
        for one in socs_named(soc):
            try:
                (check,) = verify_on_npu(engine, [one], data, every=True).checks
            except ConversionError as error:
                _row(file.name, one.name, str(error).removeprefix(f"{file}: "), *[""] * (len(COLUMNS) - 3))
            else:
                _row(file.name, one.name, *_figures(check))


def _figures(check: NpuCheck) -> list[str]:
    tiles = check.tiles
    to_cpu = [tile.psnr for tile in tiles if tile.psnr is not None]
    cpu, npu = (np.mean([getattr(tile, key) for tile in tiles]) for key in ("cpu_psnr", "npu_psnr"))
    return [
        f"{check.operations} of {check.operations}",
        "1",
        f"{check.size:,}",
        f"{min(to_cpu):.1f}, {np.mean(to_cpu):.1f}" if to_cpu else "equal",
        f"{max(tile.levels for tile in tiles):.1f}",
        f"{cpu:.3f}",
        f"{npu:.3f}",
        f"{npu - cpu:+.3f}",
    ]


def _row(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run(main, __doc__)
