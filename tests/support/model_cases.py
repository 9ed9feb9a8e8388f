"""One small configuration of every form of every network: what each must keep is tried on these (`test_networks.py`)."""

from dataclasses import dataclass

from keras_models.registry import networks
from support.networks import randomise


@dataclass(frozen=True)
class ModelCase:
    """A network small enough to convert in a few seconds.

    Attributes:
        network: its class's name in the registry.
        config: arguments of the class.
        plain: the configuration is the deploy form already.
    """

    network: str
    config: dict
    plain: bool = False

    def build(self):
        """The network with random weights, built."""
        return randomise(networks()[self.network](**self.config))


_LKDN = {"features": 8, "attention_channels": 6}
_REP = {"step": "BSConvU_rep", "upsampler": "rep"}
_MAFDN = {"scale": 2, "features": 12, "distilled": 8, "negative_slope": 0.1, "epsilon": 1e-4}
CASES = {
    "LKDN of 6 blocks": ModelCase("LKDN", {"scale": 2, "blocks": 6, **_LKDN}, plain=True),
    "LKDN, training form": ModelCase("LKDN", {"scale": 3, "blocks": 2, **_REP, **_LKDN}),
    "LKDN with shortcuts": ModelCase("LKDN", {"scale": 4, "blocks": 1, "step": "BSConvU_idt", **_LKDN}, plain=True),
    "MAFDN": ModelCase("MAFDN", {"blocks": 2, **_MAFDN}),
    "MAFDN of plain convolutions": ModelCase("MAFDN", {"blocks": 1, "convolution": "plain", **_MAFDN}, plain=True),
    "SPAN": ModelCase("SPAN", {"scale": 2, "channels": 8}),
    "SPAN without norm": ModelCase("SPAN", {"scale": 3, "channels": 8, "norm": False, "convolution": "plain"}, plain=True),
    "SRVGGNetCompact": ModelCase("SRVGGNetCompact", {"scale": 3, "features": 8, "convolutions": 3}, plain=True),
    "SRVGGNetCompact that restores": ModelCase("SRVGGNetCompact", {"scale": 1, "features": 8, "convolutions": 1}, plain=True),
}
"""Whoever adds a network to the registry adds its forms here, and its presets to `PRESETS`."""
