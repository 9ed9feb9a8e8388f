"""Trains in a packed folder (scripts/pack_run.py made it) on the machine's first device, without a network: run it there.

    python3 go.py SECONDS [OUT]

JAX or PyTorch computes, whichever the machine has; if both, whichever a process of its own finds faster (KERAS_BACKEND settles it).

OUT (default: run, beside this file) gets last.npz, best.keras, last.keras, log.csv, curves.png, run.json and go.log. The same command
again goes on; so does a folder packed anew with that run. Steps take SECONDS at most, the probe of the forms included; starting and the
validation at the end come on top, some minutes where the device compiles slowly.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROBE = "--probe"
"""In place of SECONDS: times the steps of one backend and prints, as its last line, milliseconds and form as JSON."""


def main(seconds: str, out: Path) -> None:
    """Unpacks the wheels, then trains, or only times."""
    began = time.monotonic()
    out = out.absolute()
    os.chdir(HERE)  # the settings name the first weights from here, wherever the folder lies
    with tempfile.TemporaryDirectory() as packages:
        for wheel in sorted((HERE / "wheels").glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
        sys.path[:0] = [str(HERE / "code"), packages]
        out.mkdir(parents=True, exist_ok=True)
        with (out / "go.log").open("a") as log:

            def say(line: str) -> None:
                for stream in (sys.stdout, log):
                    stream.write(f"{time.monotonic() - began:7.1f} s  {line}\n")
                    stream.flush()

            if seconds == PROBE:
                _probe(say)
            else:
                form = _quickest(out, say)
                _train(float(seconds) - (time.monotonic() - began), out, form, say)


def _quickest(out: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Settles the backend; the form that its probe found fastest, None if there was nothing to choose."""
    backends = [name for name in ("jax", "torch") if importlib.util.find_spec(name)]
    if "KERAS_BACKEND" in os.environ or len(backends) < 2:
        os.environ.setdefault("KERAS_BACKEND", backends[0] if backends else "jax")
        return None
    found = []
    for backend in backends:
        child = [sys.executable, __file__, PROBE, str(out)]
        done = subprocess.run(child, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.append((*json.loads(done.stdout.splitlines()[-1]), backend))
        else:
            say(f"{backend}: {' '.join(done.stderr[-300:].split())}")
    if not found:
        sys.exit("neither JAX nor PyTorch works here: see the lines above")
    ms, form, os.environ["KERAS_BACKEND"] = min(found, key=lambda one: one[0])
    say(f"{os.environ['KERAS_BACKEND']}: {ms:.2f} ms a step")
    return form


def _probe(say: Callable[[str], None]) -> None:
    from dataclasses import asdict

    from keras_models.training.timed_run import probe

    settings, scale = _packed()
    backend = os.environ["KERAS_BACKEND"]
    ms, form = probe(settings, _photos("train", scale), lambda line: say(f"{backend}: {line}"))
    sys.stdout.write(json.dumps([ms, asdict(form)]) + "\n")


def _train(seconds: float, out: Path, form: dict[str, Any] | None, say: Callable[[str], None]) -> None:
    from keras_models.training.device_steps import Form
    from keras_models.training.timed_run import FORMS, train_for

    settings, scale = _packed()
    if (HERE / "run" / "last.npz").is_file() and not (out / "last.npz").exists():
        shutil.copytree(HERE / "run", out, dirs_exist_ok=True)
    photos, validation = _photos("train", scale), _photos("val", scale)
    say(f"{_device()}: {len(photos.photos)} photos to train on, {len(validation.photos)} to validate on")
    train_for(seconds, settings, photos, out, validation, say, [Form(**form)] if form else FORMS)


def _packed() -> tuple[Any, int]:
    """The settings and the scale."""
    from keras_models.training.settings import Settings

    packed = json.loads((HERE / "packed.json").read_text())
    return Settings(**{**packed["settings"], "betas": tuple(packed["settings"]["betas"])}), packed["scale"]


def _photos(name: str, scale: int) -> Any:
    from keras_models.data.photo_set import load_photos

    return load_photos(HERE / "photos" / name, scale, HERE / "cache")


def _device() -> str:
    if os.environ["KERAS_BACKEND"] == "jax":
        import jax

        return f"{jax.devices()[0]}, JAX {jax.__version__}"
    import torch

    return f"{torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'}, PyTorch {torch.__version__}"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "run")
