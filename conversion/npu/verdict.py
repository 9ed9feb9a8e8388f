"""How a file computes on a Snapdragon's NPU, by its emulation: agreement with the CPU and loss against the originals, by stated limits."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log10

import numpy as np

from conversion.npu.package import LICENCE
from conversion.npu.tiles import Tile

INTEGER_PSNR = 38.0
"""dB to the CPU's result that an 8-bit file must have on every tile; those of this project have 41 to 46."""
WIDE_PSNR = 50.0
"""The same of 16-bit arithmetic (w8a16): 55 to 79."""
FLOAT_PSNR = 48.0
"""The same of a float file, which the NPU computes in half precision: 49 to 66."""
MOST_MOVED = 0.1
"""By how many dB the mean PSNR to the originals may differ from the CPU's."""

REPORT_VERSION = 1

Run = Callable[[np.ndarray], np.ndarray]
"""(h, w, 3) float32 RGB in [0, 1] to (s h, s w, 3) float32."""


@dataclass(frozen=True)
class TileCheck:
    """One tile on the NPU, compared with the CPU; both are clipped to [0, 1].

    Attributes:
        tile: what it is of.
        finite: no NaN or infinity came out; the other fields are None if one did.
        psnr: dB to the CPU's result, None if they are equal.
        levels: largest difference, of 255.
        cpu_psnr: dB of the CPU's result to the original, RGB; None without one.
        npu_psnr: the same of the NPU's.
    """

    tile: str
    finite: bool
    psnr: float | None
    levels: float | None
    cpu_psnr: float | None
    npu_psnr: float | None


@dataclass(frozen=True)
class NpuCheck:
    """One file on one SoC.

    Attributes:
        soc: its name.
        hexagon: architecture of its NPU.
        operations: of the plain file, all of them on the NPU, in one partition; None if it was compiled before.
        size: bytes of the compiled file.
        needed: dB to the CPU that every tile must have.
        tiles: the checks.
    """

    soc: str
    hexagon: int
    operations: int | None
    size: int
    needed: float
    tiles: tuple[TileCheck, ...]

    @property
    def worst(self) -> float | None:
        """Least dB to the CPU of all tiles; None if all are equal."""
        return min((tile.psnr for tile in self.tiles if tile.psnr is not None), default=None)

    @property
    def moved(self) -> float | None:
        """By how many dB the mean PSNR to the originals is above the CPU's; None without originals."""
        moves = [tile.npu_psnr - tile.cpu_psnr for tile in self.tiles if tile.npu_psnr is not None and tile.cpu_psnr is not None]
        return float(np.mean(moves)) if moves else None

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        found = [f"on {self.soc}, {tile.tile}: not finite" for tile in self.tiles if not tile.finite]
        found += [
            f"on {self.soc}, {tile.tile}: {tile.psnr:.1f} dB to the CPU, {self.needed:g} are needed"
            for tile in self.tiles
            if tile.psnr is not None and not tile.psnr >= self.needed
        ]
        if self.moved is not None and not abs(self.moved) <= MOST_MOVED:
            found.append(f"on {self.soc}: PSNR to the originals {self.moved:+.3f} dB from the CPU's, {MOST_MOVED:g} is allowed")
        return found

    def as_text(self) -> str:
        """Some lines."""
        count = "" if self.operations is None else f"{self.operations} of {self.operations} operations, 1 partition, "
        lines = [f"{f'NPU {self.soc}, V{self.hexagon}':20} {count}{self.size:,} bytes compiled; {self.needed:g} dB to the CPU are wanted"]
        lines += [f"  {tile.tile:18} {_tile_line(tile)}" for tile in self.tiles]
        if self.moved is not None:
            lines.append(f"  {'mean':18} PSNR to the originals {self.moved:+.3f} dB from the CPU's")
        return "\n".join(lines)


@dataclass(frozen=True)
class NpuVerdict:
    """All SoCs that were asked for.

    Attributes:
        file: what was compiled, or is.
        checks: one a SoC.
        version: of this schema.
    """

    file: str
    checks: tuple[NpuCheck, ...]
    version: int = REPORT_VERSION

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(problem for check in self.checks for problem in check.problems())

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """A table; times and cycles are not in it, since an emulation has none."""
        return "\n".join([LICENCE, *(check.as_text() for check in self.checks)])


def compare(tiles: Sequence[Tile], cpu: Run, npu: Run) -> tuple[TileCheck, ...]:
    """Runs tiles on both.

    Args:
        tiles: what to run.
        cpu: the plain file.
        npu: the compiled one.
    """
    return tuple(_compared(tile, cpu(tile.low).clip(0, 1), npu(tile.low)) for tile in tiles)


def _compared(tile: Tile, cpu: np.ndarray, npu: np.ndarray) -> TileCheck:
    if not np.isfinite(npu).all():
        return TileCheck(tile.name, False, None, None, None, None)
    npu = npu.clip(0, 1)
    levels = 255 * float(np.abs(npu - cpu).max())
    to_original = [None if tile.high is None else psnr_of(result, tile.high) for result in (cpu, npu)]
    return TileCheck(tile.name, True, psnr_of(npu, cpu), levels, *to_original)


def psnr_of(result: np.ndarray, truth: np.ndarray) -> float | None:
    """PSNR in dB between pictures in [0, 1]; None if they are equal."""
    error = float(np.square(result.astype(np.float64) - truth).mean())
    return -10 * log10(error) if error else None


def _tile_line(tile: TileCheck) -> str:
    if not tile.finite:
        return "NOT FINITE"
    agreement = "equal to the CPU" if tile.psnr is None else f"{tile.psnr:.1f} dB to the CPU, {tile.levels:.1f} levels at most"
    if tile.npu_psnr is None or tile.cpu_psnr is None:
        return agreement
    return f"{agreement}; to the original {tile.npu_psnr:.3f} dB, the CPU {tile.cpu_psnr:.3f}"
