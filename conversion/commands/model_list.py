"""The presets with their counts, and the shipped weights with their measured quality (from their model cards)."""

import json
from dataclasses import asdict, dataclass

from keras_models.presets import Preset
from keras_models.registry import PRESETS

REPORT_VERSION = 1


@dataclass(frozen=True)
class ListedModel:
    """One preset: counts, and of its shipped weights the quality that its card records ({} if none are shipped)."""

    name: str
    description: str
    parameters: tuple[int, int]
    multi_adds: int
    low_res: tuple[int, int]
    shipped: bool
    quality: dict[str, dict[str, float]]


@dataclass(frozen=True)
class ModelList:
    """All presets."""

    models: tuple[ListedModel, ...]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """A table."""
        lines = [f"{'preset':12} {'training':>9} {'deploy':>9} {'multi-adds':>11}  shipped weights, PSNR-Y/SSIM-Y"]
        for model in self.models:
            quality = ", ".join(f"{name} {q['psnr_y']:.2f}/{q['ssim_y']:.4f}" for name, q in model.quality.items())
            shipped = quality or ("shipped" if model.shipped else "none")
            training, deploy = model.parameters
            lines.append(f"{model.name:12} {training:9,} {deploy:9,} {model.multi_adds / 1e9:10.2f}G  {shipped}")
        return "\n".join([*lines, "multi-adds: convolutions of the deploy form for a 1280x720 result"])


def list_models() -> ModelList:
    """Reads the presets and the cards beside the shipped weights."""
    return ModelList(tuple(_listed(preset) for preset in PRESETS.values()))


def _listed(preset: Preset) -> ListedModel:
    card = json.loads(preset.card.read_text()) if preset.card else {}
    return ListedModel(
        name=preset.name,
        description=preset.description,
        parameters=preset.parameters,
        multi_adds=preset.multi_adds,
        low_res=preset.low_res,
        shipped=preset.weights is not None,
        quality=card.get("quality", {}),
    )
