"""What there is by name: the weights that a command can use, shipped, fetched or to be fetched, and the networks to train."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from keras_models.catalogue import CATALOGUE, Published
from keras_models.checkpoints.fetching import is_fetched
from keras_models.presets import Preset
from keras_models.registry import PRESETS

REPORT_VERSION = 2
"""2: published weights, and what each is for."""

Quality = dict[str, dict[str, float]]


@dataclass(frozen=True)
class ListedModel:
    """One preset: counts, use, and of its shipped weights the quality that its card records ({} if none are shipped)."""

    name: str
    description: str
    use: str
    parameters: tuple[int, int]
    multi_adds: int
    low_res: tuple[int, int]
    shipped: bool
    quality: Quality


@dataclass(frozen=True)
class ListedWeights:
    """Published weights: those of the catalogue, and whether they are on this machine."""

    name: str
    network: str
    scale: int
    use: str
    state: Literal["fetched", "to fetch"]
    size: int
    licence: str
    credit: str
    address: str
    quality: Quality
    measured: str


@dataclass(frozen=True)
class ModelList:
    """All presets and all published weights."""

    models: tuple[ListedModel, ...]
    published: tuple[ListedWeights, ...]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """Two tables."""
        usable: list[tuple[str, ...]] = [("weights, --model", "here?", "PSNR-Y Set5", "Set14", "for")]
        usable += [(m.name, "shipped", *_psnr(m.quality), m.use) for m in self.models if m.shipped]
        usable += [(w.name, _state(w), *_psnr(w.quality), f"{w.use} ({w.licence})") for w in self.published]
        networks: list[tuple[str, ...]] = [("network to train", "training", "deploy", "multi-adds", "for")]
        networks += [(m.name, *(f"{count:,}" for count in m.parameters), f"{m.multi_adds / 1e9:.2f}G", m.use) for m in self.models]
        notes = "to fetch: downloaded when named, or by `mobile-sr fetch NAME`", "multi-adds: of the deploy form for a 1280x720 result"
        return "\n".join([*_columns(usable), notes[0], "", *_columns(networks), notes[1]])


def list_models() -> ModelList:
    """Reads the presets, the cards beside the shipped weights, and the cache of fetched ones."""
    return ModelList(tuple(map(_preset, PRESETS.values())), tuple(map(_published, CATALOGUE.values())))


def _preset(preset: Preset) -> ListedModel:
    card = json.loads(preset.card.read_text()) if preset.card else {}
    return ListedModel(
        name=preset.name,
        description=preset.description,
        use=preset.use,
        parameters=preset.parameters,
        multi_adds=preset.multi_adds,
        low_res=preset.low_res,
        shipped=preset.weights is not None,
        quality=card.get("quality", {}),
    )


def _published(weights: Published) -> ListedWeights:
    known = {key: getattr(weights, key) for key in ("name", "network", "scale", "use", "size", "licence", "credit", "address", "measured")}
    return ListedWeights(**known, state="fetched" if is_fetched(weights) else "to fetch", quality=weights.quality)


def _state(weights: ListedWeights) -> str:
    return weights.state if weights.state == "fetched" else f"{weights.size / 1e6:.1f} MB to fetch"


def _psnr(quality: Quality) -> tuple[str, str]:
    set5, set14 = (f"{quality[name]['psnr_y']:.3f}" if name in quality else "-" for name in ("Set5", "Set14"))
    return set5, set14


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows as lines: the first and the last column to the left, those between to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1])), row[-1]]) for row in rows
    ]
