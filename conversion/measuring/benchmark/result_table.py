"""Rows of results as a table for people and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any


def as_table(title: str, rows: Sequence[Any], columns: Mapping[str, tuple[str, str]]) -> str:
    """A plain table.

    Args:
        title: above it.
        rows: dataclass instances.
        columns: field -> (heading, format specification); a field that is None in every row is left out.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = {key: column for key, column in columns.items() if any(getattr(row, key) is not None for row in rows)}
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="", pad_edge=False)
    for heading, specification in shown.values():
        table.add_column(heading, justify="right" if specification else "left", no_wrap=True)
    for row in rows:
        values = [getattr(row, key) for key in shown]
        table.add_row(*("-" if v is None else format(v, spec) for v, (_, spec) in zip(values, shown.values())))
    text = io.StringIO()
    Console(file=text, width=10_000, color_system=None, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip()


def as_csv(rows: Sequence[Any], fields: Sequence[str]) -> str:
    """Comma-separated values with a heading line; None is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def problems_of(rows: Sequence[Any]) -> tuple[str, ...]:
    """Why rows have no result: "FILE on ENGINE: problem" of each that has a problem."""
    return tuple(f"{row.file} on {row.engine}: {row.problem}" for row in rows if row.problem is not None)
