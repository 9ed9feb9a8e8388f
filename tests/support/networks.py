"""Where released networks lie, and random weights for any network."""

from pathlib import Path

import numpy as np

SHARED = Path(__file__).resolve().parents[3] / "shared"

RELEASED = {
    "LKDN_x2": ".pth",
    "LKDN_x3": ".pth",
    "LKDN_x4": ".pth",
    "LKDN-S_x4": ".pth",
    "LKDN-S_del_rep_x4": ".pth",
    "random_LKDN-S_x4": ".safetensors",
    "random_LKDN-S_idt_x4": ".safetensors",
    "span_x4": ".pth",
    "random_span28_x4": ".safetensors",
    "random_span28_x4_nonorm": ".safetensors",
    "random_span48_x2": ".safetensors",
    "random_compact_x2": ".safetensors",
    "random_compact_x4": ".safetensors",
}


GAINS = {"SPAN": 0.35}
"""Class -> factor on its random weights: for values of hundreds SPAN's gates are steps, which make rounding visible."""


def randomise(model, seed=0):
    """Gives every weight a random value: a fold or a rewrite that is right only for initial weights then fails."""
    rng, gain = np.random.default_rng(seed), GAINS.get(type(model).__name__, 1.0)

    def random(shape):
        fan_in = 4 if len(shape) == 1 else np.prod(shape[:2]) * (1 if shape[-1] == 1 else shape[2])
        return (gain * rng.standard_normal(shape) / fan_in**0.5).astype("float32")

    model.set_weights([random(w.shape) for w in model.get_weights()])
    return model


def unscaled_tflite(deploy, side):
    """A float32 .tflite without the powers of two that keep half precision safe: a control."""
    from conversion.graph.exact_rewrites import deploy_graph
    from conversion.graph.to_keras import to_keras
    from conversion.tflite.converter import to_tflite

    return to_tflite(to_keras(deploy_graph(deploy, side, side), side, side))
