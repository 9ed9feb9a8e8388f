"""The models of a page beside what the literature reports on the benchmark photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from conversion.measuring.report.literature import benchmark_of, published_results
from conversion.measuring.report.model_facts import ModelFacts
from conversion.measuring.report.quality import BICUBIC, Comparison

BENCHMARKS = ("Set5", "Set14")


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: of the network.
        parameters: of the deploy form, None for bicubic or if unknown.
        quality: PSNR-Y (dB) and SSIM-Y for each of `BENCHMARKS`, None where there is no figure.
        origin: where the figures come from.
        ours: True for a model of the page.
        same: True for a network of the same architecture as one of them.
    """

    name: str
    parameters: int | None
    quality: tuple[tuple[float | None, float | None], ...]
    origin: str
    ours: bool = False
    same: bool = False


def published_table(facts: Sequence[ModelFacts], comparison: Comparison) -> tuple[Row, ...]:
    """The models first, then the literature by PSNR-Y; a model without any figure on a benchmark is left out.

    Args:
        facts: the models, of one scale.
        comparison: what was measured; it counts where its photos are a benchmark's.
    """
    here = benchmark_of(comparison.names)
    presets = {model.preset.name for model in facts if model.preset is not None}
    measured = [(comparison.bicubic_mean.psnr_y, comparison.bicubic_mean.ssim_y)]
    rows = [Row(BICUBIC, None, _placed(here, measured[0]), "measured here")] if here else []
    for model, evaluation in zip(facts, comparison.evaluations):
        mean = evaluation.mean
        carded = model.weights_card.get("quality")
        quality = tuple(
            (mean.psnr_y, mean.ssim_y) if name == here else _carded(carded.get(name) if isinstance(carded, dict) else None)
            for name in BENCHMARKS
        )
        origins = ["measured here"] if here else []
        origins += ["model card"] if any(pair != (None, None) for name, pair in zip(BENCHMARKS, quality) if name != here) else []
        if origins:
            rows.append(Row(model.subject.label, model.parameters, quality, ", ".join(origins), ours=True))
    published = [
        Row(
            result.name,
            result.parameters,
            tuple(result.quality.get(name, (None, None)) for name in BENCHMARKS),
            f"{result.kind}: {result.source}",
            same=result.preset in presets,
        )
        for result in published_results(facts[0].subject.scale)
    ]
    return (*rows, *sorted(published, key=lambda row: row.quality[0][0] or 0.0))


def _placed(here: str, pair: tuple[float, float]) -> tuple[tuple[float | None, float | None], ...]:
    return tuple(pair if name == here else (None, None) for name in BENCHMARKS)


def _carded(scores: Any) -> tuple[float | None, float | None]:
    """PSNR-Y and SSIM-Y out of a card, which may hold anything."""
    if not isinstance(scores, dict):
        return None, None
    psnr, ssim = (scores.get(key) for key in ("psnr_y", "ssim_y"))
    return _finite(psnr), _finite(ssim)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None
