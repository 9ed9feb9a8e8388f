"""The CPU engine for a file that takes whole-image statistics from outside, in passes over the image.

The file is one of `conversion.graph.whole_image_inputs`.
Before an image is enlarged, the statistics settle: each pass runs all tiles with the statistics so far and merges what the
tiles measure. One pass makes the first block's exact, the next the second's, and so on; they start from those of one tile in
the image's middle. Every tile is gated alike at any time, so there are no seams even with none but the first ones.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from conversion.engines.cpu import CpuEngine
from conversion.engines.proof import Proof, prove
from conversion.engines.values import NOTHING_SAID, Said
from keras_models.system.errors import ModelError

Window = tuple[np.ndarray, tuple[slice, slice]]
"""(h, w, 3) float32 RGB in [0, 1], and the rows and columns of it that are its tile's core."""


@dataclass
class MergedMoments:
    """Count, mean and variance of many parts of an image, merged part by part (Chan et al., 1979) in float64."""

    count: int = 0
    mean: np.ndarray | float = 0.0
    variance: np.ndarray | float = 0.0

    def add(self, count: int, mean: np.ndarray, variance: np.ndarray) -> None:
        """Takes in a part of `count` pixels; mean and variance are (K,)."""
        total = self.count + count
        share = count / total
        apart = mean.astype(np.float64) - self.mean
        self.variance = (1 - share) * self.variance + share * variance.astype(np.float64) + share * (1 - share) * apart**2
        self.mean = self.mean + share * apart
        self.count = total

    def contrast(self, epsilon: np.ndarray) -> np.ndarray:
        """(K,) float32: mean + sqrt(variance + epsilon)."""
        return (self.mean + np.sqrt(self.variance + np.asarray(epsilon))).astype(np.float32)


class WholeImageEngine(CpuEngine):
    """A `CpuEngine` whose `run` gates by the statistics that `settle` found.

    Attributes:
        sweeps: passes over an image before it is enlarged.
        exact_sweeps: passes after which the statistics are those of the whole image.
        statistics: (K,) float32, those in use.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        sweeps: int | None = None,
        proof: Proof | None = None,
        said: Said = NOTHING_SAID,
    ) -> None:
        """Open and check the file.

        Args:
            path: a .tflite written by `convert --whole-image`.
            threads: CPU threads, None for all cores.
            sweeps: as the attribute; None for what the file's card says.
            proof: as for `CpuEngine`.
            said: as for `CpuEngine`.

        Raises:
            ModelError: as `CpuEngine`, or the file's card does not say how its statistics are made.
        """
        proof = proof or prove(Path(path))
        facts = proof.statistics
        if facts is None:
            raise ModelError(f"{path}: takes no statistics of the whole image: open it as a CpuEngine")
        self.epsilon = np.asarray(facts["epsilon"], np.float64)
        self.sweeps = facts["sweeps"] if sweeps is None else sweeps
        self.exact_sweeps = facts["exact_sweeps"]
        self.statistics = np.ones(len(self.epsilon), np.float32)
        self._core: np.ndarray | None = None
        super().__init__(path, threads, proof, said)

    @property
    def passes(self) -> int:  # type: ignore[override]  # nobody assigns it
        """Runs of every tile of an image, the last one included."""
        return self.sweeps + 1

    def settle(self, windows: Callable[[], Iterable[Window]], count: int, report: Callable[[int], None] = lambda _: None) -> None:
        """Finds an image's statistics.

        Args:
            windows: gives all windows of the image, anew at every call.
            count: how many there are.
            report: called with the number of windows run in the passes so far, after every one.
        """
        middle = [next(islice(windows(), count // 2, None))]
        for _ in range(self.exact_sweeps):
            self._sweep(middle)
        done = 0
        for _ in range(self.sweeps):
            if count == 1:  # the window is the whole image: settled already
                done += 1
                report(done)
                continue
            for in_sweep in self._sweep_counting(windows()):
                report(done + in_sweep)
            done += count

    def _sweep(self, windows: Iterable[Window]) -> None:
        for _ in self._sweep_counting(windows):
            pass

    def _sweep_counting(self, windows: Iterable[Window]) -> Iterator[int]:
        """Runs the windows with the statistics in use, counting them, then puts the merged ones in their place."""
        merged = MergedMoments()
        for done, (window, core) in enumerate(windows, 1):
            self._core = np.zeros((*window.shape[:2], 1), np.float32)
            self._core[core] = 1
            self.run(window)
            mean, variance = np.split(self._interpreter.get_tensor(self._named["moments"]["index"]).ravel(), 2)
            merged.add(int(self._core.sum()), mean, variance)
            yield done
        self._core = None
        self.statistics = merged.contrast(self.epsilon)

    def _pick(self, inputs: Sequence[dict], outputs: Sequence[dict]) -> None:
        self._named = {tensor["name"]: tensor for tensor in (*inputs, *outputs)}
        if {"image", "core", "statistics", "upscaled", "moments"} - self._named.keys():
            raise ModelError(f"{self.path}: its inputs and outputs are not those of a whole-image file: convert the model again")
        self._input, self._output = self._named["image"], self._named["upscaled"]

    def _feed(self, height: int, width: int) -> None:
        core = self._core if self._core is not None else np.ones((height, width, 1), np.float32)
        self._interpreter.set_tensor(self._named["core"]["index"], core[None])
        self._interpreter.set_tensor(self._named["statistics"]["index"], self.statistics.reshape(1, 1, 1, -1))

    def _resize(self, height: int, width: int) -> None:
        self._interpreter.resize_tensor_input(self._named["core"]["index"], (1, height, width, 1), strict=False)
        super()._resize(height, width)


def open_engine(path: str | Path, threads: int | None = None, said: Said = NOTHING_SAID) -> CpuEngine:
    """The CPU engine that a file needs: `WholeImageEngine` for one that takes statistics, else `CpuEngine`.

    Args:
        path: a .tflite.
        threads: as for `CpuEngine`.
        said: as for `CpuEngine`.

    Raises:
        ModelError: as theirs.

    Example:
        >>> import conversion, numpy
        >>> engine = conversion.open_engine(conversion.ModelSource.of("lkdn-s-x4").tflite())
        >>> engine.run(numpy.zeros((8, 8, 3), numpy.float32)).shape
        (32, 32, 3)
    """
    return engine_of(path, threads, prove(Path(path)), said)


def engine_of(path: str | Path, threads: int | None, proof: Proof, said: Said = NOTHING_SAID) -> CpuEngine:
    """`open_engine` of a file that has been proven."""
    if proof.statistics is not None:
        return WholeImageEngine(path, threads, proof=proof, said=said)
    return CpuEngine(path, threads, proof, said)
