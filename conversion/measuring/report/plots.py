"""The page's drawings: quality of every file against its size and against its time, as SVG."""

import io
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from conversion.measuring.recipe_table import RecipeRow

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")  # Okabe and Ito: for all kinds of eyes
MARKERS = "os^Dv*P"
WIDE = 8.0
"""Ratio of largest to smallest above which an axis is logarithmic."""


def quality_chart(models: Mapping[str, Sequence[RecipeRow]], x: Callable[[RecipeRow], float], label: str) -> bytes:
    """PSNR-Y of files against something else of theirs.

    Args:
        models: name -> its files; a colour is a recipe, a shape is a model.
        x: what is drawn to the right.
        label: what to call it.

    Returns:
        An SVG file with letters as outlines, so that it looks the same everywhere.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    rows = [row for files in models.values() for row in files]
    colours = dict(zip(dict.fromkeys(row.recipe for row in rows), COLOURS * (1 + len(rows) // len(COLOURS))))
    figure = Figure(figsize=(5.2, 3.9), layout="constrained")
    axes = figure.subplots()
    for index, (name, files) in enumerate(models.items()):
        for row in files:
            if isfinite(row.psnr_y):
                title = row.recipe if len(models) == 1 else f"{name}, {row.recipe}"
                marker = MARKERS[index % len(MARKERS)]
                axes.plot(x(row), row.psnr_y, marker, color=colours[row.recipe], markersize=10, alpha=0.8, mew=0, label=_plain(title))
    values = [x(row) for row in rows]
    if max(values) > WIDE * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.12)
    axes.ticklabel_format(axis="y", useOffset=False)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, (low + high) / 2 - 0.05), max(high, (low + high) / 2 + 0.05))
    axes.set_xlabel(label)
    axes.set_ylabel("PSNR-Y, dB")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3 if len(models) == 1 else 2, frameon=False, fontsize=9)
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "mobile-sr", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    return file.getvalue()


def _plain(text: str) -> str:
    """A file's name as a label: no mathematics between dollar signs, and no leading underscore, which hides a label."""
    return text.replace("$", r"\$").lstrip("_")
