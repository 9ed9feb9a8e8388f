"""Trains in a packed folder (scripts/pack_run.py made it) on the machine's first JAX device, without a network: run it there.

    python3 go.py SECONDS [OUT]

OUT (default: run, beside this file) gets last.npz, best.keras, last.keras, log.csv, curves.png, run.json and go.log. The same command
again goes on; so does a folder packed anew with that run. Steps take SECONDS at most, the probe of the forms included; starting and the
validation at the end come on top, some minutes where the device compiles slowly.
"""

import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(seconds: float, out: Path) -> None:
    """Unpacks the wheels, then trains."""
    began = time.monotonic()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with tempfile.TemporaryDirectory() as packages:
        for wheel in sorted((HERE / "wheels").glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
        sys.path[:0] = [str(HERE / "code"), packages]
        out = out.absolute()
        os.chdir(HERE)  # the settings name the first weights from here, wherever the folder lies
        _train(seconds, out, began)


def _train(seconds: float, out: Path, began: float) -> None:
    import jax

    from keras_models.data.photo_set import load_photos
    from keras_models.training.settings import Settings
    from keras_models.training.timed_run import train_for

    packed = json.loads((HERE / "packed.json").read_text())
    settings = Settings(**{**packed["settings"], "betas": tuple(packed["settings"]["betas"])})
    if (HERE / "run" / "last.npz").is_file() and not (out / "last.npz").exists():
        shutil.copytree(HERE / "run", out, dirs_exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    with (out / "go.log").open("a") as log:

        def say(line: str) -> None:
            for stream in (sys.stdout, log):
                stream.write(f"{time.monotonic() - began:7.1f} s  {line}\n")
                stream.flush()

        say(f"{jax.devices()[0]}, JAX {jax.__version__}")
        scale = packed["scale"]
        photos, validation = (load_photos(HERE / "photos" / name, scale, HERE / "cache") for name in ("train", "val"))
        say(f"{len(photos.photos)} photos to train on, {len(validation.photos)} to validate on")
        train_for(seconds, settings, photos, out, validation, say)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(float(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "run")
