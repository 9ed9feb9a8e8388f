"""What the page of `mobile-sr report` shows."""

from collections.abc import Mapping, Sequence

from conversion.measuring.html_page.fill import fill
from conversion.measuring.report.card_tree import card_tree
from conversion.measuring.report.credits import Credit
from conversion.measuring.report.model_facts import ModelFacts
from conversion.measuring.report.plots import quality_chart
from conversion.measuring.report.published_table import BENCHMARKS, published_table
from conversion.measuring.report.quality import Comparison


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
    return fill(
        "report/page.html.j2",
        ["html_page/page.css"],
        ["html_page/slider.js"],
        {"tree": card_tree},
        facts=facts,
        comparison=comparison,
        credits=credits,
        published=published_table(facts, comparison),
        benchmarks=BENCHMARKS,
        charts=_charts(facts),
        command=command,
        data=data,
        calibration=calibration,
    )


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
