"""The presets of SRVGGNetCompact: Real-ESRGAN's general size at x1 to x4, and the half as deep one of its anime video model."""

from keras_models.presets import LOW_RES, Preset

PAPER = "Wang et al., Real-ESRGAN, ICCVW 2021 (code: BSD-3-Clause)"
USE = "noisy, blurred or compressed photos"


def _compact(name: str, scale: int, convolutions: int, parameters: int, multi_adds: int) -> Preset:
    about = f"SRVGGNetCompact x{scale}: {convolutions} convolutions of 64 features"
    config = {"scale": scale, "features": 64, "convolutions": convolutions}
    return Preset(f"{name}-x{scale}", "SRVGGNetCompact", config, about, (parameters, parameters), LOW_RES[scale], multi_adds, PAPER, USE)


PRESETS = (
    _compact("compact", 1, 32, 1_187_331, 1_090_348_646_400),
    _compact("compact", 2, 32, 1_192_524, 273_781_555_200),
    _compact("compact", 3, 32, 1_201_179, 122_661_181_440),
    _compact("compact", 4, 32, 1_213_296, 69_639_782_400),
    _compact("compact-16", 4, 16, 621_424, 35_665_920_000),
)
