"""What a bisection found as one HTML page, in the style of `report`: the culprit, and a row for every operation."""

from pathlib import Path

from conversion.gpu.bisection import Bisection
from conversion.measuring.html_page.fill import fill, number
from conversion.measuring.int8_bisect import Int8Bisection
from keras_models.system.atomic_files import atomic_output


def write_page(found: Bisection | Int8Bisection, target: Path) -> None:
    """Writes the page, which needs nothing beside it."""
    with atomic_output(target) as temporary:
        temporary.write_text(_half(found) if isinstance(found, Bisection) else _int8(found), encoding="utf-8")


def _half(found: Bisection) -> str:
    culprits = [f"{kind} precision: {c.as_text()}" for kind, c in (("single", found.single), ("half", found.half)) if c]
    named = {c.number for c in (found.single, found.half) if c}
    rows = [
        {
            "marked": step.number in named,
            "cells": (
                step.number,
                step.operation,
                step.tensor,
                step.input,
                "not finite" if step.ratio is None else number(step.difference, ".3g"),
                number(step.allowed, ".3g"),
                "∞" if step.ratio is None else number(step.ratio, ".2f"),
            ),
        }
        for step in found.steps
    ]
    return _page(
        found.file,
        "half precision against single",
        f"{found.compared} results of {found.operations} operations on {found.device}, on {', '.join(found.inputs)}.",
        found.problems,
        culprits,
        ("", "operation", "result", "furthest off on", "difference", "explained by rounding", "times that"),
        rows,
    )


def _int8(found: Int8Bisection) -> str:
    rows = [
        {
            "marked": place == found.worst,
            "cells": (
                loss.number,
                loss.operation,
                loss.tensor,
                *("exact" if n is None else number(n, ".1f") for n in (loss.alone, loss.explained, loss.cumulated)),
                loss.reason,
            ),
        }
        for place, loss in enumerate(found.losses)
    ]
    return _page(
        found.file,
        f"8 bits against {Path(found.int8_of).name}",
        f"{len(found.losses)} tensors compared, {found.unpaired} without a pair, on {', '.join(found.inputs)}.",
        found.problems,
        [],
        ("", "operation", "tensor", "alone, dB", "explained by 8 bits, dB", "cumulated, dB", "reason"),
        rows,
    )


def _page(
    file: str, what: str, about: str, problems: tuple[str, ...], culprits: list[str], headings: tuple[str, ...], rows: list[dict]
) -> str:
    return fill(
        "html_page/bisect.html.j2",
        ["html_page/page.css", "html_page/bisect.css"],
        [],
        {},
        title=Path(file).name,
        what=what,
        about=about,
        problems=problems,
        culprits=culprits,
        headings=headings,
        rows=rows,
    )
