"""What is measured on a file once, and remembered: how it looks at an image, and the values that it takes."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from math import lcm
from pathlib import Path
from typing import Protocol

import numpy as np

from conversion.engines.base import Engine
from conversion.engines.colours import TOLERANCE, Colours, measure_colours
from conversion.engines.facts import keep, place_of, recall
from conversion.engines.picture import measure_picture
from conversion.engines.values import NOTHING_SAID, Said, Values, through
from conversion.engines.view import View, measure_view

MEASURED_VERSION = 2
"""Goes up whenever what is measured, or how, changes."""
_FLAT_SIDE = 48
_LEAST_SIDE = 24  # a smaller picture has too little in it to compare


class FileEngine(Engine, Protocol):
    """An engine of a foreign file."""

    path: Path
    channels: int
    said: Said

    def infer(self, window: np.ndarray) -> np.ndarray:
        """The network on its own channels and values."""


class Viewing:
    """What an engine of a file says to whoever plans its tiles, by its view."""

    @cached_property
    def view(self) -> View:
        """How it looks at an image."""
        raise NotImplementedError

    @property
    def halo(self) -> int:
        """Real pixels around a tile's core that the network needs."""
        return self.view.halo

    @property
    def stride(self) -> int:
        """Windows start at multiples of it."""
        return self.view.stride


@dataclass(frozen=True)
class _Kept:
    """`Colours` as plain values."""

    values: dict
    error: float
    note: str
    wrong: str


def view_of(engine: FileEngine) -> View:
    """How a file looks at an image, from the memory of an earlier run or measured."""
    place = _place(engine, "view")
    known = recall(place, View)
    if known is None:
        known = measure_view(engine)
        keep(place, known)
    return known


def colours_of(engine: FileEngine, likely: Values) -> Colours:
    """The values of a file, from the memory of an earlier run or measured.

    Raises:
        ModelError: as `measure_colours`.
    """
    place = _place(engine, f"colours-{likely.taken}-{likely.given}")
    kept = recall(place, _Kept)
    if kept is not None:
        threes = {name: tuple(kept.values[name]) for name in ("mean", "deviation")}
        return Colours(Values(**kept.values | threes), kept.error, kept.note, kept.wrong)
    block = lcm(16, engine.multiple)
    size = (-(-_FLAT_SIDE // block) * block,) * 2 if engine.resizable else engine.tile
    found = measure_colours(str(engine.path), engine.infer, engine.channels, size, engine.said, likely)
    if found.error <= TOLERANCE and min(size) >= _LEAST_SIDE:
        wrong = measure_picture(lambda image: through(found.values, engine.channels, engine.scale, image, engine.infer), size, engine.scale)
        found = replace(found, note="; ".join(filter(None, (found.note, wrong))), wrong=wrong)
    keep(place, _Kept(asdict(found.values), found.error, found.note, found.wrong))
    return found


def remembered_view(path: Path) -> View | None:
    """How a file looks at an image, if that was measured before."""
    return recall(_place_of(path, NOTHING_SAID, "view"), View)


def _place(engine: FileEngine, what: str) -> Path | None:
    return _place_of(engine.path, engine.said, what)


def _place_of(path: Path, said: Said, what: str) -> Path | None:
    runtime = version("onnxruntime" if path.suffix.lower() == ".onnx" else "ai-edge-litert")
    return place_of(path, f"{what}-{MEASURED_VERSION}-{said.range}-{said.order}-{runtime}")
