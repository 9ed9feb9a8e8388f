"""The page itself: one HTML text with its style, script and pictures in it, and no way to load anything from elsewhere.

Everything that comes from files (names, cards, messages) is escaped by Jinja2; the content security policy lets only the style
and the script of this package run, by their digests.
"""

import base64
import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from math import isfinite

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conversion.measuring.report.card_tree import card_tree
from conversion.measuring.report.credits import Credit
from conversion.measuring.report.model_facts import ModelFacts
from conversion.measuring.report.pictures import data_uri
from conversion.measuring.report.plots import quality_chart
from conversion.measuring.report.published_table import BENCHMARKS, published_table
from conversion.measuring.report.quality import Comparison
from conversion.model_card import tool_versions


def render(
    facts: Sequence[ModelFacts], comparison: Comparison, credits: Mapping[str, Credit], command: str, data: str, calibration: str | None
) -> str:
    """The page.

    Args:
        facts: the models, of one scale.
        comparison: their scores and pictures, in the same order.
        credits: of the photos, by name.
        command: what made the page, as typed.
        data: folder that quality was measured on.
        calibration: folder that integer recipes were fitted to, None if they were left out.
    """
    environment = Environment(loader=PackageLoader("conversion.measuring.report", "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"number": number, "signed": signed, "uri": data_uri, "tree": card_tree}
    style, script = (_own(name) for name in ("page.css", "page.js"))
    return environment.get_template("page.html.j2").render(
        facts=facts,
        comparison=comparison,
        credits=credits,
        published=published_table(facts, comparison),
        benchmarks=BENCHMARKS,
        charts=_charts(facts),
        command=command,
        data=data,
        calibration=calibration,
        versions=_versions(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; "
        "form-action 'none'",
    )


def number(value: float | None, form: str = ".3f") -> str:
    """A number for a table; a dash where there is none."""
    if value is None or value != value:
        return "–"
    return format(value, form) if isfinite(value) else "∞"


def signed(value: float | None, form: str = ".3f") -> str:
    """The same with its sign, and a real minus; no sign where nothing is left after rounding."""
    text = number(value, "+" + form)
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")


def _charts(facts: Sequence[ModelFacts]) -> tuple[tuple[str, bytes], ...]:
    """What each shows, and the SVG; none where there is a single file, which has nothing to stand beside."""
    models = {model.subject.label: model.rows for model in facts}
    if sum(map(len, models.values())) < 2:
        return ()
    tiles = " and ".join(dict.fromkeys(model.tile for model in facts))
    return (
        ("Quality against size", quality_chart(models, lambda row: row.size / 1000, "size of the file, KB")),
        ("Quality against time", quality_chart(models, lambda row: row.one_thread, f"CPU, 1 thread, {tiles}, ms")),
    )


def _versions() -> dict[str, str]:
    return {
        **tool_versions(),
        **{name: version(name) for name in ("numpy", "pillow", "matplotlib", "jinja2")},
        "python": platform.python_version(),
    }


def _own(name: str) -> Markup:
    """A text of this package, which needs no escaping."""
    return Markup((resources.files("conversion.measuring.report") / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
