"""Weights that their authors publish: what there is by name, where it lies, whose it is. Plain data; nothing is fetched here.

A name is PRESET@SOURCE: the network and its scale, and whose weights they are (`lkdn-x4@authors`, `compact-x4@general`). As with
presets, x4 may be left out (`lkdn-s@authors`). The stem of the published file is understood too (`realesr-general-x4v3`).
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from keras_models.presets import Preset


@dataclass(frozen=True)
class Published:
    """One file of published weights.

    Attributes:
        name: PRESET@SOURCE, as on the command line.
        network: class name in `keras_models.registry`.
        scale: upscaling factor.
        address: where the authors keep it, pinned to a commit or a release.
        size: bytes.
        sha256: hex digest of the file.
        licence: of the weights, as their authors give it.
        credit: whom to name.
        use: what it is for, a few words.
        quality: data set -> {"psnr_y": dB, "ssim_y": 0 to 1}; {} where such a figure would say nothing.
        measured: where `quality` is from.
        denoise: the entry of the same network that leaves noise alone: a blend with it removes less (`upscale `denoise``).
    """

    name: str
    network: str
    scale: int
    address: str
    size: int
    sha256: str
    licence: str
    credit: str
    use: str
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    measured: str = ""
    denoise: str | None = None

    @property
    def file(self) -> str:
        """The published file's name, under which it is kept and mirrored."""
        return self.address.rpartition("/")[2]

    @property
    def host(self) -> str:
        """Server of the address."""
        return urlsplit(self.address).netloc

    def as_facts(self) -> dict:
        """What a model card says of the weights, JSON-ready."""
        facts = {"name": self.name, "licence": self.licence, "credit": self.credit, "source": self.file, "address": self.address}
        return facts | {"sha256": self.sha256, "use": self.use} | ({"quality": self.quality} if self.quality else {})


_LKDN = "https://raw.githubusercontent.com/stella-von/LKDN/54df78a491142c2503d9738192b767ceced4d1a1/experiments/pretrained_models/LKDN/"
_NTIRE = "https://raw.githubusercontent.com/Amazingren/NTIRE2026_ESR/4592ce6db68b395699f13e7e2a4e3baf317ef1c6/model_zoo/"
_REALESR = "https://github.com/xinntao/Real-ESRGAN/releases/download/v0.2.5.0/"

_LKDN_CREDIT = "(c) 2023 StellaXx; Xie et al., Large Kernel Distillation Network, CVPR NTIRE 2023"
_SPAN_CREDIT = "the NTIRE 2026 efficient super-resolution challenge; Wan et al., Swift Parameter-free Attention Network, CVPR NTIRE 2024"
_REALESR_CREDIT = "(c) 2021 Xintao Wang; Wang et al., Real-ESRGAN, ICCVW 2021"


def _lkdn(kind: str, scale: int, size: int, sha256: str, use: str, set5: tuple[float, float], set14: tuple[float, float]) -> Published:
    file = f"LKDN{'-S' if kind == 'lkdn-s' else ''}_x{scale}.pth"
    measured = "here, with the authors' images: scripts/measure_released.py"
    name, quality = f"{kind}-x{scale}@authors", _quality(set5, set14)
    return Published(name, "LKDN", scale, _LKDN + file, size, sha256, "MIT", _LKDN_CREDIT, use, quality, measured)


def _realesr(name: str, file: str, size: int, sha256: str, use: str, denoise: str | None = None) -> Published:
    what = name, "SRVGGNetCompact", 4, _REALESR + file, size, sha256
    return Published(*what, "BSD-3-Clause", _REALESR_CREDIT, use, denoise=denoise)


def _quality(set5: tuple[float, float], set14: tuple[float, float]) -> dict[str, dict[str, float]]:
    """PSNR-Y in dB and SSIM-Y of both."""
    return {name: {"psnr_y": psnr, "ssim_y": ssim} for name, (psnr, ssim) in {"Set5": set5, "Set14": set14}.items()}


_ENTRIES = (
    _lkdn(
        "lkdn-s",
        4,
        1494129,
        "39ff2c69cdeb40f842c9f93368caee3323a4309c350373edeb2dc9ef3cc05851",
        "clean photos, quick",
        (32.106, 0.8938),
        (28.623, 0.7821),
    ),
    _lkdn(
        "lkdn",
        2,
        2579929,
        "02b429e795ad0863fdf21c6924c79344e30a39d637c44442d13124193b012e6b",
        "clean photos, most detail",
        (38.115, 0.9610),
        (33.855, 0.9202),
    ),
    _lkdn(
        "lkdn",
        3,
        2640473,
        "52835d49d402683ea2085c13e4afc3aca49f6b806ea29d6ed29b2238cd7874c5",
        "clean photos, most detail",
        (34.532, 0.9283),
        (30.509, 0.8456),
    ),
    _lkdn(
        "lkdn",
        4,
        2725465,
        "f534422583c99dad994fd7df897f6f872637218430cfedf6c2d2a072ea86dbd7",
        "clean photos, most detail",
        (32.395, 0.8980),
        (28.799, 0.7860),
    ),
    Published(
        "span-28-x4@authors",
        "SPAN",
        4,
        _NTIRE + "team00_SPAN.pth",
        618658,
        "6c80f05048313289c6526e5fc9726688d7bb3dfdd6ae3c8b1e7dd09f601e5971",
        "MIT",
        _SPAN_CREDIT,
        "clean photos, plain convolutions",
        _quality((31.746, 0.8898), (28.405, 0.7768)),
        "here: mobile-sr evaluate span-28-x4@authors",
    ),
    _realesr(
        "compact-x4@general",
        "realesr-general-x4v3.pth",
        4885111,
        "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        "noisy, blurred or compressed photos",
        "compact-x4@general-wdn",
    ),
    _realesr(
        "compact-x4@general-wdn",
        "realesr-general-wdn-x4v3.pth",
        4885111,
        "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        "the same photos, their noise and grain kept",
    ),
    _realesr(
        "compact-16-x4@animevideo",
        "realesr-animevideov3.pth",
        2504012,
        "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        "drawings and animation",
    ),
)

CATALOGUE: dict[str, Published] = {weights.name: weights for weights in _ENTRIES}
"""Name -> published weights."""


def find_published(name: str) -> Published | None:
    """The published weights of that name, of a name without its x4, or of a published file's stem; None if there are none."""
    preset, _, source = name.partition("@")
    known = CATALOGUE.get(name) or CATALOGUE.get(f"{preset}-x4@{source}")
    return known or next((weights for weights in CATALOGUE.values() if Path(weights.file).stem == name), None)


def published_meant(model: str | Path) -> Published | None:
    """The published weights that a model argument names; None if there are none, or if a file has that name."""
    return None if Path(model).is_file() else find_published(str(model))


def published_for(preset: Preset) -> list[Published]:
    """The published weights of a preset's network and scale under the preset's name."""
    return [weights for weights in CATALOGUE.values() if weights.name.startswith(f"{preset.name}@")]


def without_weights(preset: Preset) -> str:
    """The error's text for a preset that no weights are shipped for: what to give instead."""
    names = " or ".join(f"{weights.name} (published, {weights.size / 1e6:.1f} MB)" for weights in published_for(preset))
    instead = f"give {names}" if names else "give a released checkpoint's file"
    return f"{preset.name}: no weights are shipped for this preset: {instead}, or train it"
