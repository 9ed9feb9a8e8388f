"""The engine of `upscale --gpu`: a .tflite on this machine's GPU, one window at a time, in a process of its own.

The file is compiled for the GPU alone, in single precision, and for each size of window anew. Before the first window of a size
it has to reproduce the CPU's result on noise, so that a driver that computes nonsense is an error and never a picture.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from conversion.engines.cpu import CpuEngine
from conversion.engines.whole_image import open_engine
from conversion.gpu.devices import VulkanDevice
from conversion.gpu.engine import adapter_of
from conversion.gpu.verify import SINGLE_TOLERANCE
from conversion.tflite.retile import at_tile
from keras_models.system.errors import ModelError
from keras_models.system.processes import Task, serve

TIME_LIMIT_S = 300.0
"""For compiling, and for a window: a GPU that takes longer hangs, or is no help."""


class WindowEngine:
    """A network on a GPU; an `upscaling.upscale.Engine` that cuts an image as the file's `CpuEngine` does.

    Attributes:
        scale: int, how many times larger the output is.
        tile: (height, width), the file's own static window, low-resolution pixels.
        resizable: True if the file runs at any window size.
        passes: 1.
        multiple: as for `CpuEngine`.
        halo: as for `CpuEngine`.
        stride: as for `CpuEngine`.
        bytes_per_pixel: as for `CpuEngine`.
        device: the adapter's name as the engine gives it.
        software: True if that adapter is a CPU.
        child: runs the network.
    """

    passes = 1

    def __init__(self, exact: CpuEngine, device: VulkanDevice, process: contextlib.ExitStack) -> None:
        self.scale, self.tile, self.resizable = exact.scale, exact.tile, exact.resizable
        self.multiple, self.halo, self.stride = exact.multiple, exact.halo, exact.stride
        self.bytes_per_pixel = exact.bytes_per_pixel
        self._exact, self._vulkan, self._closing = exact, device, process
        self._size: tuple[int, int] | None = None
        self._compile(self.tile)

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale one window; arguments and result are those of `CpuEngine.run`.

        Raises:
            ModelError: the GPU's process died or does not answer, or computes something else than the CPU.
        """
        height, width, _ = window_nhwc.shape
        try:
            if (height, width) != self._size:
                self._compile((height, width))
            return self._run(window_nhwc)
        except BaseException:  # that process is never asked again: its answer may be wrong, or come late for another window
            self._size = None
            self._closing.close()
            raise

    def _compile(self, size: tuple[int, int]) -> None:
        self._closing.close()
        folder, path = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="mobile-sr-gpu-"))), self._exact.path
        file, log = folder / "model.tflite", folder / "log"
        file.write_bytes(path.read_bytes() if size == self.tile else at_tile(path.read_bytes(), *size))
        arguments = [str(file), [1, *size, 3], str(log)]
        task = Task("conversion.gpu.run:windows", arguments, TIME_LIMIT_S, _failed, self._vulkan.environment)
        self.child = self._closing.enter_context(serve(task))
        facts = self.child.answer()
        self.device, self.software = adapter_of(path, self._vulkan, facts, log.read_text(errors="replace"))
        noise = np.random.default_rng(0).random((*size, 3), np.float32)
        difference = float(np.abs(self._run(noise) - self._exact.run(noise)).max())
        if not difference <= SINGLE_TOLERANCE:
            raise ModelError(
                f"{self.device} computes something else than the CPU (difference {difference:.2g}, {SINGLE_TOLERANCE:g} is allowed): "
                "leave `gpu` out, or update its driver"
            )
        self._size = size

    def _run(self, window: np.ndarray) -> np.ndarray:
        answer = self.child.ask(np.ascontiguousarray(window, np.float32).tobytes(), TIME_LIMIT_S)
        height, width = (side * self.scale for side in window.shape[:2])
        return np.frombuffer(answer, np.float32).reshape(height, width, 3)


def _failed(how: str) -> ModelError:
    return ModelError(f"the GPU's process: {how}: try a smaller `tile`, or leave `gpu` out")


@contextlib.contextmanager
def window_engine(path: str | Path, device: VulkanDevice) -> Iterator[WindowEngine]:
    """Opens a file on a GPU; its process ends with the block.

    Args:
        path: a .tflite, float32 in and out.
        device: where to run it.

    Raises:
        GpuRefusal: the engine refuses an operation, or would run a part on the CPU.
        NoVulkanDevice: there is no device behind the driver.
        ModelError: an integer or whole-image file, or as `WindowEngine.run`.
    """
    exact = open_engine(path)
    if exact.passes > 1:
        raise ModelError(f"{path}: it takes statistics of the whole image, which only the CPU engine makes: leave `gpu` out")
    if exact.input_dtype != np.float32:
        raise ModelError(f"{path}: a GPU computes an integer file in float: give the float32 or float16 file, or leave `gpu` out")
    if exact.channels != 3 or not exact.colours.values.plain:
        raise ModelError(f"{path}: it takes other values than RGB in 0..1, which only the CPU engine makes: leave `gpu` out")
    with contextlib.ExitStack() as process:
        yield WindowEngine(exact, device, process)
