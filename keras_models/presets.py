"""Presets: the networks that this project knows by name, as plain data."""

from dataclasses import dataclass
from pathlib import Path

from keras_models.system.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights"
PAPER = "Xie et al., Large Kernel Distillation Network for Efficient Single Image Super-Resolution, CVPR NTIRE 2023 (code: MIT)"
MAFDN_PAPER = (
    "a reconstruction after the abstract of Zhang et al., A Multi-Attention Feature Distillation Neural Network for Lightweight "
    "Single Image Super-Resolution, Int. J. of Intelligent Systems 2024"
)


@dataclass(frozen=True)
class Preset:
    """One named configuration.

    Attributes:
        name: as on the command line.
        network: class name in `keras_models.registry`.
        config: arguments of the class, training form.
        description: one line.
        parameters: (training form, deploy form).
        low_res: (H, W), low-resolution pixels of the published count, for a 1280x720 result.
        multi_adds: multiply-adds of the deploy form's convolutions at `low_res`.
        credit: paper and licence of the architecture.
    """

    name: str
    network: str
    config: dict
    description: str
    parameters: tuple[int, int]
    low_res: tuple[int, int]
    multi_adds: int
    credit: str

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.config["scale"]

    @property
    def weights(self) -> Path | None:
        """The shipped weights (.safetensors, PyTorch names), None if this project has not trained any yet."""
        path = WEIGHTS / f"{self.name}.safetensors"
        return path if path.is_file() else None

    @property
    def card(self) -> Path | None:
        """The model card of the shipped weights (JSON), None without weights."""
        path = WEIGHTS / f"{self.name}.json"
        return path if path.is_file() else None


_LOW_RES = {2: (360, 640), 3: (240, 427), 4: (180, 320)}


def _lkdn(scale: int, parameters: int, multi_adds: int) -> Preset:
    config = {"scale": scale, "features": 56, "attention_channels": 56, "blocks": 8}
    about = f"LKDN x{scale}: 8 blocks of 56 features"
    return Preset(f"lkdn-x{scale}", "LKDN", config, about, (parameters, parameters), _LOW_RES[scale], multi_adds, PAPER)


def _lkdn_s(scale: int, parameters: tuple[int, int], multi_adds: int) -> Preset:
    config = {"scale": scale, "features": 42, "attention_channels": 42, "blocks": 5, "step": "BSConvU_rep", "upsampler": "rep"}
    about = f"LKDN-S x{scale}: 5 blocks of 42 features, re-parameterized"
    return Preset(f"lkdn-s-x{scale}", "LKDN", config, about, parameters, _LOW_RES[scale], multi_adds, PAPER)


def _mafdn(scale: int, parameters: tuple[int, int], multi_adds: int) -> Preset:
    about = f"MAFDN x{scale}, a reconstruction: 6 blocks of 48 features, DO-Conv"
    return Preset(f"mafdn-x{scale}", "MAFDN", {"scale": scale}, about, parameters, _LOW_RES[scale], multi_adds, MAFDN_PAPER)


PRESETS = {
    preset.name: preset
    for preset in (
        _lkdn_s(2, (130_005, 115_533), 26_006_400_000),
        _lkdn_s(3, (147_690, 121_218), 12_148_491_600),
        _lkdn_s(4, (172_449, 129_177), 7_285_420_800),
        _lkdn(2, 303_812, 68_718_182_400),
        _lkdn(3, 311_387, 31_340_023_680),
        _lkdn(4, 321_992, 18_224_640_000),
        _mafdn(2, (651_444, 581_460), 131_560_250_112),
        _mafdn(3, (657_939, 587_955), 59_180_977_152),
        _mafdn(4, (667_032, 597_048), 33_785_862_912),
    )
}


def find_preset(name: str) -> Preset | None:
    """The preset of that name; "lkdn-s" means "lkdn-s-x4". None if there is none."""
    return PRESETS.get(name) or PRESETS.get(f"{name}-x4")


def preset_meant(model: str | Path) -> Preset | None:
    """The preset that a model argument names; None if there is none, or if a file has that name."""
    return None if Path(model).is_file() else find_preset(str(model))


def preset_named(name: str) -> Preset:
    """As `find_preset`.

    Raises:
        ModelError: no such preset; it lists them.
    """
    preset = find_preset(name)
    if preset is None:
        raise ModelError(f"{name}: no such preset: give one of {', '.join(PRESETS)}")
    return preset
