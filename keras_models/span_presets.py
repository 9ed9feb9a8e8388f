"""The presets of SPAN: the paper's widths and the challenges' small one, at x2 and x4."""

from keras_models.presets import LOW_RES, Preset

PAPER = "Wan et al., Swift Parameter-free Attention Network for Efficient Super-Resolution, CVPRW 2024 (code: Apache-2.0 and MIT)"
USE = "clean photos, plain convolutions"


def _span(scale: int, channels: int, parameters: tuple[int, int], multi_adds: int) -> Preset:
    about = f"SPAN x{scale}: 6 blocks of {channels} channels, re-parameterized"
    config = {"scale": scale, "channels": channels}
    return Preset(f"span-{channels}-x{scale}", "SPAN", config, about, parameters, LOW_RES[scale], multi_adds, PAPER, USE)


PRESETS = (
    _span(2, 28, (624_940, 141_580), 32_481_792_000),
    _span(4, 28, (634_048, 150_688), 8_642_995_200),
    _span(2, 48, (1_824_900, 410_700), 94_390_272_000),
    _span(4, 48, (1_840_488, 426_288), 24_493_363_200),
    _span(2, 52, (2_140_252, 481_324), 110_642_688_000),
    _span(4, 52, (2_157_136, 498_208), 28_631_116_800),
)
