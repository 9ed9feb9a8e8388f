"""The presets of LKDN and LKDN-S: the paper's sizes at x2, x3 and x4, and LKDN-S x4 with weights for photos that are not clean."""

from dataclasses import replace

from keras_models.presets import LOW_RES, Preset

PAPER = "Xie et al., Large Kernel Distillation Network for Efficient Single Image Super-Resolution, CVPR NTIRE 2023 (code: MIT)"
USE, USE_S = "clean photos, most detail", "clean photos, quick"
USE_PHOTO = "compressed or slightly noisy photos, quick"


def _lkdn(scale: int, parameters: int, multi_adds: int) -> Preset:
    config = {"scale": scale, "features": 56, "attention_channels": 56, "blocks": 8}
    about = f"LKDN x{scale}: 8 blocks of 56 features"
    return Preset(f"lkdn-x{scale}", "LKDN", config, about, (parameters, parameters), LOW_RES[scale], multi_adds, PAPER, USE)


def _lkdn_s(scale: int, parameters: tuple[int, int], multi_adds: int) -> Preset:
    config = {"scale": scale, "features": 42, "attention_channels": 42, "blocks": 5, "step": "BSConvU_rep", "upsampler": "rep"}
    about = f"LKDN-S x{scale}: 5 blocks of 42 features, re-parameterized"
    return Preset(f"lkdn-s-x{scale}", "LKDN", config, about, parameters, LOW_RES[scale], multi_adds, PAPER, USE_S)


_LKDN_S_X4 = _lkdn_s(4, (172_449, 129_177), 7_285_420_800)

PRESETS = (
    _lkdn_s(2, (130_005, 115_533), 26_006_400_000),
    _lkdn_s(3, (147_690, 121_218), 12_148_491_600),
    _LKDN_S_X4,
    replace(_LKDN_S_X4, name="lkdn-s-x4-photo", description=_LKDN_S_X4.description + ", for phones' photos", use=USE_PHOTO),
    _lkdn(2, 303_812, 68_718_182_400),
    _lkdn(3, 311_387, 31_340_023_680),
    _lkdn(4, 321_992, 18_224_640_000),
)
