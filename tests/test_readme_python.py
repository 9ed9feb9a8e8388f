"""The Python of the README runs as it stands there."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]


def test_ten_lines(tmp_path, monkeypatch, capsys, eagerly):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(block.strip().splitlines()) <= 10
    rng = np.random.default_rng(0)
    for folder, count in (("PHOTOS", 2), ("Set5/HR", 1)):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(count):
            pixels = np.kron(rng.integers(0, 256, (28, 28, 3)), np.ones((8, 8, 1))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("conversion.quantization.int8.CROPS", 4)  # users' 64 take minutes
    exec(block, {})
    assert (tmp_path / "lkdn-s.tflite").stat().st_size > 100_000 and "mean" in capsys.readouterr().out
