"""What the literature reports on the benchmark photos, as data with its sources (published.json)."""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class PublishedResult:
    """One network's figures, measured as `keras_models.metrics` does.

    Attributes:
        name: of the network.
        scale: upscaling factor.
        quality: benchmark -> (PSNR-Y in dB, SSIM-Y or None where it is not known).
        kind: "published"; "measured" for released weights that were run here; "derived" from other published figures.
        source: where the figures stand.
        preset: the preset of the same architecture, None if there is none.
        parameters: of the deploy form, None for an interpolation.
    """

    name: str
    scale: int
    quality: dict[str, tuple[float, float | None]]
    kind: str
    source: str
    preset: str | None = None
    parameters: int | None = None


def published_results(scale: int) -> tuple[PublishedResult, ...]:
    """All figures at a scale."""
    results = (PublishedResult(**entry) for entry in _content()["results"])
    return tuple(result for result in results if result.scale == scale)


def benchmark_of(names: Iterable[str]) -> str | None:
    """The benchmark whose photos have exactly these names (file names without their endings), None for any other photos."""
    given = sorted(names)
    return next((name for name, photos in _content()["sets"].items() if sorted(photos) == given), None)


@functools.cache
def _content() -> dict:
    content: dict = json.loads((resources.files("conversion.measuring.report") / "published.json").read_text())
    return content
