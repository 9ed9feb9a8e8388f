"""The presets of MAFDN, a reconstruction, at x2, x3 and x4."""

from keras_models.presets import LOW_RES, Preset

PAPER = (
    "a reconstruction after the abstract of Zhang et al., A Multi-Attention Feature Distillation Neural Network for Lightweight "
    "Single Image Super-Resolution, Int. J. of Intelligent Systems 2024"
)
USE = "research: no weights are known"


def _mafdn(scale: int, parameters: tuple[int, int], multi_adds: int) -> Preset:
    about = f"MAFDN x{scale}, a reconstruction: 6 blocks of 48 features, DO-Conv"
    return Preset(f"mafdn-x{scale}", "MAFDN", {"scale": scale}, about, parameters, LOW_RES[scale], multi_adds, PAPER, USE)


PRESETS = (
    _mafdn(2, (651_444, 581_460), 131_560_250_112),
    _mafdn(3, (657_939, 587_955), 59_180_977_152),
    _mafdn(4, (667_032, 597_048), 33_785_862_912),
)
