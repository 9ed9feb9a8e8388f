"""The picture of a run: training loss and validation PSNR over the steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

SHOWN_DB = 2.0


def draw_curves(runs: Mapping[str, Sequence[Mapping[str, float]]], path: Path | str, title: str = "") -> None:
    """Draws loss (left, logarithmic) and the upper 2 dB of validation PSNR-Y (right) of one or more runs into a PNG.

    Args:
        runs: rows of the log (`step`, `loss`, `val_psnr_y`) by the run's name.
        path: PNG file to write.
        title: above the picture.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, rows in runs.items():
        for axes, key in ((left, "loss"), (right, "val_psnr_y")):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                axes.plot(*zip(*points), label=name, linewidth=1.5)
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    right.set(xlabel="step", ylabel="validation PSNR-Y, dB")
    values = [row["val_psnr_y"] for rows in runs.values() for row in rows if "val_psnr_y" in row]
    if values:  # the first steps from noise would squeeze what matters into a line
        right.set_ylim(max(min(values), max(values) - SHOWN_DB) - 0.05, max(values) + 0.1)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.locator_params(axis="x", nbins=6)
        if axes.lines:
            axes.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=110, format="png")
    plt.close(figure)
