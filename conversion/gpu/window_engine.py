"""The engine of `upscale --gpu`: a .tflite on this machine's GPU, one window at a time, in a process of its own.

The file is compiled for the GPU alone and in single precision. Before the first window it has to reproduce the CPU's result, so
that a driver that computes nonsense is an error and never a picture.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from conversion.gpu.devices import VulkanDevice
from conversion.gpu.engine import adapter_of, last_words
from conversion.gpu.verify import SINGLE_TOLERANCE
from conversion.litert import CpuEngine
from conversion.tflite.retile import at_tile
from conversion.whole_image import open_engine
from keras_models.errors import ModelError
from keras_models.isolation import python_module

SIDE = 256
"""Of the window where the file can run at any size, low-resolution pixels."""
TIME_LIMIT_S = 300.0
"""For compiling, and for a window."""


class WindowEngine:
    """A network on a GPU; an `upscaling.upscale.Engine` of one window size.

    Attributes:
        scale: int, how many times larger the output is.
        tile: (height, width) of the window, low-resolution pixels.
        resizable: False.
        passes: 1.
        bytes_per_pixel: as for `CpuEngine`.
        device: the adapter's name as the engine gives it.
        software: True if that adapter is a CPU.
        process: id of the process that runs it.
    """

    resizable, passes = False, 1

    def __init__(self, exact: CpuEngine, process: subprocess.Popen, log: Path) -> None:
        self.scale, self.tile, self.bytes_per_pixel = exact.scale, exact.tile, exact.bytes_per_pixel
        self.device, self.software, self.process = "", True, process.pid
        assert process.stdin is not None and process.stdout is not None
        self._feed, self._answers, self._log = process.stdin.fileno(), process.stdout.fileno(), log

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale one window.

        Args:
            window_nhwc: (h, w, 3) float32 RGB in [0, 1], of the size `tile`.

        Returns:
            (scale * h, scale * w, 3) float32 RGB, not clipped.

        Raises:
            ModelError: the GPU's process died or does not answer.
        """
        height, width = (side * self.scale for side in self.tile)
        with contextlib.suppress(OSError):  # it died: there is no answer then
            left = memoryview(np.ascontiguousarray(window_nhwc, np.float32).tobytes())
            while left:
                left = left[os.write(self._feed, left) :]
        return np.frombuffer(self.read(12 * height * width), np.float32).reshape(height, width, 3)

    def read(self, size: int | None = None) -> bytes:
        """What the process answers: so many bytes, or a line.

        Raises:
            ModelError: as `run`.
        """
        answer, deadline = bytearray(), time.monotonic() + TIME_LIMIT_S
        while len(answer) < size if size else not answer.endswith(b"\n"):
            if not select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise ModelError(f"the GPU did not answer within {TIME_LIMIT_S:g} s: try a smaller --tile, or leave --gpu out")
            part = os.read(self._answers, 1 << 20 if size else 1)
            if not part:
                said = last_words(self._log.read_text(errors="replace"))
                raise ModelError(f"the GPU's process ended{said}: try a smaller --tile, or leave --gpu out")
            answer += part
        return bytes(answer)


@contextlib.contextmanager
def window_engine(path: str | Path, device: VulkanDevice, side: int | None = None) -> Iterator[WindowEngine]:
    """Opens a file on a GPU; the process ends with the block.

    Args:
        path: a .tflite, float32 in and out.
        device: where to run it.
        side: of the square window, low-resolution pixels; None for `SIDE`, or for the file's own where that is fixed.

    Raises:
        GpuRefusal: the engine refuses an operation, or would run a part on the CPU.
        NoVulkanDevice: there is no device behind the driver.
        ModelError: an integer or whole-image file, a fixed one that is asked for another size, a GPU that computes something else
            than the CPU, crashes or hangs.
    """
    exact = open_engine(path)
    if exact.passes > 1:
        raise ModelError(f"{path}: --gpu: it takes statistics of the whole image, which only the CPU engine makes: leave --gpu out")
    if exact.input_dtype != np.float32:
        raise ModelError(f"{path}: --gpu: a GPU computes an integer file in float: give the float32 or float16 file, or leave --gpu out")
    with tempfile.TemporaryDirectory(prefix="mobile-sr-gpu-") as folder:
        if exact.resizable or side is not None:
            sides = (side or SIDE,) * 2
            sized = Path(folder) / "model.tflite"
            sized.write_bytes(at_tile(exact.path.read_bytes(), *sides))
            exact = CpuEngine(sized, proven=True)
        with _serving(exact, device, Path(folder) / "log") as engine:
            facts = json.loads(engine.read())
            engine.device, engine.software = adapter_of(Path(path), device, facts, (Path(folder) / "log").read_text(errors="replace"))
            _compare(engine, exact)
            yield engine


@contextlib.contextmanager
def _serving(exact: CpuEngine, device: VulkanDevice, log: Path) -> Iterator[WindowEngine]:
    command, environment = python_module("conversion.gpu.serve")
    command += [str(exact.path), json.dumps([1, *exact.tile, 3])]
    environment |= device.environment
    with (
        open(log, "w") as stderr,
        # In a session of its own: Ctrl-C is for the command, which ends this process.
        subprocess.Popen(
            command, 0, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
        ) as process,
    ):
        try:
            yield WindowEngine(exact, process, log)
        finally:
            process.kill()


def _compare(engine: WindowEngine, exact: CpuEngine) -> None:
    noise = np.random.default_rng(0).random((*exact.tile, 3), np.float32)
    difference = float(np.abs(engine.run(noise) - exact.run(noise)).max())
    if not difference <= SINGLE_TOLERANCE:
        raise ModelError(
            f"{engine.device} computes something else than the CPU (difference {difference:.2g}, {SINGLE_TOLERANCE:g} is allowed): "
            "leave --gpu out, or update its driver"
        )
