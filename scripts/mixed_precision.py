"""The fewest tensors of an int8 file that must stay in float so that it loses no more than --drop dB, found by halving.

    python scripts/mixed_precision.py LKDN_x4.pth --data BENCHMARKS --calibration PHOTOS --out FOLDER

Tensors leave the integers in the order of what their rounding does to the picture (`conversion.quantization.sensitivity`), as with
`mobile-sr convert --recipe int8 --float-tensors N`. BENCHMARKS holds Set5 and Set14; the search looks at Set5. Times are the
minimum of interleaved runs of 180x320 on one thread.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from interleaved import interleaved
from script import run

MOST = 512  # tensors in float: no network here has more
TIMED = (180, 320)
ROUNDS = 15


def main(
    model: str,
    data: Annotated[Path, typer.Option()],
    calibration: Annotated[Path, typer.Option()],
    out: Annotated[Path, typer.Option()],
    drop: float = 0.05,
) -> None:
    """Prints one row for every number of tensors that was tried, then the times of the fewest and of the all-integer file."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from conversion.convert_model import convert
    from conversion.engines.cpu import CpuEngine
    from conversion.measuring.evaluate import evaluate_model

    out.mkdir(parents=True, exist_ok=True)
    plain = out / "float32.tflite"
    convert(model, plain, tile=TIMED)
    wanted = {name: evaluate_model(plain, data / name).mean.psnr_y for name in ("Set5", "Set14")}
    print_row("float tensors", "Set5, drop", "Set14, drop", "bytes", "of float32")
    print_row(*["---"] * 5)

    def path_of(count: int) -> Path:
        return out / f"int8_{count}_float.tflite"

    def loss(count: int) -> float:
        path = path_of(count)
        convert(model, path, "int8", TIMED, calibration, float_tensors=count)
        lost = {name: psnr - evaluate_model(path, data / name).mean.psnr_y for name, psnr in wanted.items()}
        size = path.stat().st_size
        print_row(count, f"{lost['Set5']:.3f}", f"{lost['Set14']:.3f}", f"{size:,}", f"{size / plain.stat().st_size:.3f}")
        return lost["Set5"]

    few, enough = 0, 1
    if loss(few) <= drop:
        return
    while loss(enough) > drop:
        few, enough = enough, 2 * enough
        if enough > MOST:
            sys.exit(f"even with {few} tensors in float more than {drop} dB is lost")
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if loss(middle) <= drop else (middle, enough)
    image = np.random.default_rng(0).random((*TIMED, 3), dtype=np.float32)
    files = {"float32": plain, "int8": path_of(0), f"int8, {enough} tensors in float": path_of(enough)}
    times = interleaved({name: partial(CpuEngine(path, 1).run, image) for name, path in files.items()}, ROUNDS)
    for name, taken in times.items():
        print_row(name, f"{min(taken):.1f} ms", f"{min(taken) / min(times['float32']):.2f} of float32")


def print_row(*cells: object) -> None:
    """One row of a Markdown table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run(main, __doc__)
