"""The engine of an .onnx: onnxruntime on the CPU, one window at a time, nothing converted."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path

import numpy as np

from conversion.engines.base import refuse_large_window
from conversion.engines.colours import Colours
from conversion.engines.known import Viewing, colours_of, view_of
from conversion.engines.onnx_proof import failure, open_session, prove_onnx
from conversion.engines.threads import usable_threads
from conversion.engines.values import NOTHING_SAID, Said, Values, through
from conversion.engines.view import View
from keras_models.system.errors import ModelError

_PATIENCE_S, _SLOWER = 60.0, 100
"""A run may take so many seconds of the processor, and so many times what a small window took in proportion: attention over a whole
image takes more than in proportion, nothing else takes as much more."""
_LOOKED_AT_S = 0.5


class OnnxEngine(Viewing):
    """Opens an .onnx of one image in and one out, channels first or last, of three channels or one, floats of any width or bytes.

    Attributes:
        path: the file.
        scale: int, how many times larger the output is.
        tile: (height, width), the file's own size, low-resolution pixels.
        channels: 3 for a network of RGB, 1 for one of brightness.
        resizable: True if the file runs at windows of other sizes.
        multiple: what their sides must be multiples of.
        passes: runs of every tile of an image, 1.
        bytes_per_pixel: what a run takes, a pixel of the window.
        threads: int, CPU threads used.
        said: what a user says of its values.
    """

    passes = 1

    def __init__(self, path: str | Path, threads: int | None = None, said: Said = NOTHING_SAID) -> None:
        """Open and check the file; arguments and errors are those of `CpuEngine`."""
        self.path, self.said, self.threads = Path(path), said, usable_threads(threads)
        self._proof = prove_onnx(self.path)
        self.scale, self.tile, self.channels = self._proof.scale, self._proof.tile, self._proof.channels
        self.resizable, self.multiple = self._proof.resizable, self._proof.multiple
        self.bytes_per_pixel = self._proof.bytes_per_pixel
        refuse_large_window(self.path, self.tile)
        self._session = open_session(self.path, self.threads)
        self._thread = ThreadPoolExecutor(1, "onnxruntime")

    @cached_property
    def view(self) -> View:
        """How it looks at an image, measured on the file."""
        return view_of(self)

    @cached_property
    def colours(self) -> Colours:
        """The values that it takes and gives, measured on the file.

        Raises:
            ModelError: as `conversion.engines.colours.measure_colours`.
        """
        given = "0..255" if self._session.get_outputs()[0].type == "tensor(uint8)" else "0..1"
        return colours_of(self, Values("0..255" if self._proof.dtype == "uint8" else "0..1", given))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of it before its pictures are used."""
        return (f"{self.path}: {self.colours.note}",) if self.colours.note else ()

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale one window: (h, w, 3) float32 RGB in [0, 1] to (scale * h, scale * w, 3) float32, not clipped.

        Raises:
            ModelError: the window does not fit, or onnxruntime fails.
        """
        return through(self.colours.values, self.channels, self.scale, window_nhwc, self.infer)

    def infer(self, window: np.ndarray) -> np.ndarray:
        """As `run`, on the network's own channels and values: (h, w, channels) float32."""
        height, width, _ = window.shape
        limit = _PATIENCE_S + _SLOWER * self._proof.seconds_per_pixel * height * width
        try:
            made = self._run({self._proof.name: self.to_tensor(window)[None]}, limit)[0]
        except TimeoutError:
            raise ModelError(
                f"{self.path}: a {height}x{width} image takes over {limit:.0f} s of the processor, {_SLOWER} times what a small one does: "
                "give a smaller `tile`, or another network"
            ) from None
        except Exception as error:  # onnxruntime's own
            raise failure(self.path, (height, width), error) from None
        result = self.from_tensor(made)
        if result.shape != (height * self.scale, width * self.scale, self.channels):
            raise ModelError(f"{self.path}: makes {result.shape} of a {height}x{width} image: not x{self.scale} at every size")
        return result

    def _run(self, feeds: dict[str, np.ndarray], limit_s: float) -> np.ndarray:
        """The first output. The run is another thread's, so that signals and the limit reach it: how long a file computes is for it to say.

        Raises:
            TimeoutError: it takes more of the processor.
            Exception: onnxruntime's own.
        """
        import onnxruntime

        options, begun = onnxruntime.RunOptions(), time.process_time()
        running = self._thread.submit(self._session.run, None, feeds, options)
        try:
            while not wait([running], timeout=_LOOKED_AT_S).done:
                if time.process_time() - begun > limit_s:
                    raise TimeoutError
        except BaseException:
            options.terminate = True  # it ends with its next operation
            raise
        return running.result()[0]

    def to_tensor(self, window: np.ndarray) -> np.ndarray:
        """What `infer` is given, (h, w, channels) float32, in the numbers and the order of axes of the file's input."""
        if self._proof.dtype == "uint8":
            window = np.rint(window).clip(0, 255)
        given = window.transpose(2, 0, 1) if self._proof.channels_first else window
        return np.ascontiguousarray(given, self._proof.dtype)

    def from_tensor(self, result: np.ndarray) -> np.ndarray:
        """The inverse, of its output: (h, w, channels) float32."""
        return np.asarray(result.transpose(1, 2, 0) if self._proof.result_channels_first else result, np.float32)
