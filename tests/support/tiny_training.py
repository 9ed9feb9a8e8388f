"""A network, photos and settings small enough to train in a test; run as a program, it trains until it is killed.

python tiny_training.py PHOTOS OUT [--all-devices] [--no-tensorflow]
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

TINY = "tiny-x2"


def make_photos(folder, count=3, size=(56, 48)):
    """Smooth colour noise as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        coarse = np.random.default_rng(i).integers(0, 256, (7, 6, 3), np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"photo{i}.png")
    return folder


def register_tiny():
    from keras_models.registry import PRESETS

    config = {"scale": 2, "features": 28, "attention_channels": 6, "blocks": 1, "step": "BSConvU_rep", "upsampler": "rep"}
    PRESETS.setdefault(TINY, replace(PRESETS["lkdn-s-x2"], name=TINY, config=config))


def tiny_settings(**changes):
    from keras_models.training.settings import Settings

    register_tiny()
    values = {"steps": 40, "batch": 2, "patch": 8, "interval": 6, "warmup": 5, "lr": 1e-3, "schedule": "wsd", "decay": 10}
    values |= {"optimizer": "adan", "betas": (0.98, 0.92, 0.99)}
    if "steps" in changes:
        values |= {"decay": 0, "warmup": 1}
    return Settings(**{"preset": TINY, **values, **changes})


def main(photos, out, *flags):
    if "--no-tensorflow" in flags:
        sys.modules["tensorflow"] = None  # any import of it fails
    from keras_models.data.photo_set import load_photos
    from keras_models.training.run import Listener, train

    class Speaking(Listener):
        def on_interval(self, row):
            sys.stdout.write(f"{row['step']} {row.get('loss')}\n")
            sys.stdout.flush()

    if "--all-devices" in flags:
        from keras_models.data.data_parallel import use_all_devices

        assert use_all_devices(2) == 2
    settings = tiny_settings()
    data = load_photos(photos, 2, Path(out).parent / "cache")
    train(settings, data, out, listener=Speaking())


if __name__ == "__main__":
    main(*sys.argv[1:])
