"""The CPU engine: any super-resolution .tflite through ai-edge-litert, one window at a time."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conversion.engines.base import refuse_large_window
from conversion.engines.colours import Colours
from conversion.engines.cpu_form import place_of_form
from conversion.engines.known import Viewing, colours_of, view_of
from conversion.engines.proof import Proof, prove
from conversion.engines.threads import usable_threads
from conversion.engines.values import NOTHING_SAID, Said, Values, through
from conversion.engines.view import View
from keras_models.system.errors import ModelError, one_line
from keras_models.system.quiet import silenced

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_PROBE_HW = (21, 13)
"""Small, odd and unequal: a graph with a hard-coded size anywhere cannot pass by luck."""
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 3, 6, 12, 24, 48, 5, 7, 10)
"""Of networks that see an image in blocks."""
_INTEGERS = (np.int8, np.uint8, np.int16)


class CpuEngine(Viewing):
    """Opens a .tflite of one image in and one image out, and upscales windows with XNNPACK.

    An 8-bit file is run in a form that XNNPACK takes whole and that computes the same numbers (`conversion.engines.cpu_form`).

    Not safe for use from several threads at once.

    Attributes:
        path: the file.
        scale: int, how many times larger the output is.
        tile: (height, width), the file's own static window, low-resolution pixels.
        channels: 3 for a network of RGB, 1 for one of brightness.
        resizable: True if the file runs at windows of other sizes.
        multiple: what their sides must be multiples of.
        passes: runs of every tile of an image, 1 here.
        halo: real pixels around a tile's core that the network needs, low-resolution pixels.
        stride: windows start at multiples of it, low-resolution pixels.
        input_dtype: NumPy dtype of the file's input tensor.
        output_dtype: NumPy dtype of the file's output tensor.
        threads: int, CPU threads used.
    """

    passes = 1

    def __init__(
        self, path: str | Path, threads: int | None = None, proof: Proof | None = None, said: Said = NOTHING_SAID
    ) -> None:
        """Open and check the file.

        Args:
            path: a .tflite file.
            threads: CPU threads, None for all cores, of which more than there are are not started.
            proof: what `prove` learned of the file; None has it proven now.
            said: what is known of the values that it takes; the rest is measured when it is needed.

        Raises:
            ModelError: the file is missing, damaged, cannot be run, or is not a super-resolution model.
        """
        self.path = Path(path)
        self.threads = usable_threads(threads)
        self.said = said
        self._proof = proof or prove(self.path)
        self._open()
        self.scale, self.tile, self.channels = _super_resolution_shapes(
            self.path, self._interpreter, self._input["index"], self._output["index"]
        )
        refuse_large_window(self.path, self.tile)
        self._window = self.tile
        self.input_dtype = np.dtype(self._input["dtype"])
        self.output_dtype = np.dtype(self._output["dtype"])
        if self._proof.resizable is None:
            self.resizable, self.multiple = self._try_resizing()
        else:
            self.resizable, self.multiple = self._proof.resizable, self._proof.multiple

    @property
    def bytes_per_pixel(self) -> float:
        """What the intermediates need, a pixel of the window."""
        return self._proof.bytes_per_pixel

    @cached_property
    def view(self) -> View:
        """How it looks at an image: what the file's card declares, else measured on the file."""
        if self._proof.halo is not None:
            return View(self._proof.halo, self._proof.stride)
        return view_of(self)

    @cached_property
    def colours(self) -> Colours:
        """The values that it takes and gives: what the file's card declares, else measured on the file.

        Raises:
            ModelError: as `conversion.engines.colours.measure_colours`.
        """
        if self._proof.halo is not None and self.said == NOTHING_SAID:  # a card of this project: held to the contract
            return Colours(self._likely, 0.0)
        return self.measured_colours

    @cached_property
    def measured_colours(self) -> Colours:
        """As `colours`, whatever a card says."""
        return colours_of(self, self._likely)

    @property
    def _likely(self) -> Values:
        return Values(_range_name(self._input), _range_name(self._output))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of it before its pictures are used."""
        return tuple(f"{self.path}: {note}" for note in (self.colours.note, self._proof.slow) if note)

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale one window.

        Args:
            window_nhwc: (h, w, 3) float32 RGB in [0, 1]; h and w are free if `resizable`, else they are `tile`.

        Returns:
            (scale * h, scale * w, 3) float32 RGB, not clipped.

        Raises:
            ModelError: the window does not fit, or LiteRT fails.
        """
        return through(self.colours.values, self.channels, self.scale, window_nhwc, self.infer)

    def infer(self, window: np.ndarray) -> np.ndarray:
        """As `run`, on the network's own channels and values: (h, w, channels) float32."""
        height, width, _ = window.shape
        if (height, width) != self._window:
            if not self.resizable:
                raise ModelError(f"{self.path}: a window of {height}x{width}: this file runs only at {self.tile[0]}x{self.tile[1]}")
            self._resize(height, width)
        try:
            self._interpreter.set_tensor(self._input["index"], self.to_tensor(window)[None])
            self._feed(height, width)
            self._interpreter.invoke()
            result = self._interpreter.get_tensor(self._output["index"])[0]
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path}: LiteRT failed on a {height}x{width} window ({one_line(error)}): try another `tile`") from error
        if result.shape != (height * self.scale, width * self.scale, self.channels):
            made = "x".join(map(str, result.shape))
            raise ModelError(f"{self.path}: makes {made} of a {height}x{width} window: not x{self.scale} at every size: give another model")
        return self.from_tensor(result)

    def shapes(self) -> dict[int, tuple[int, ...]]:
        """Of all tensors at the size that ran last, by their index; those that the runtime made for itself besides."""
        return {tensor["index"]: tuple(map(int, tensor["shape"])) for tensor in self._interpreter.get_tensor_details()}

    def _open(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        runs = self.path if self._proof.cpu_form is None else place_of_form(self._proof.cpu_form)
        try:
            with silenced():
                self._interpreter = Interpreter(model_path=str(runs), num_threads=self.threads)
                self._interpreter.allocate_tensors()
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path}: LiteRT cannot run this file ({one_line(error)}): convert it with builtin operators") from error
        self._pick(inputs, outputs)

    def _pick(self, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]]) -> None:
        """Tell which tensors are the image and its result."""
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{self.path}: {len(inputs)} inputs and {len(outputs)} outputs: need a model of one image in and one out")
        self._input, self._output = inputs[0], outputs[0]

    def _feed(self, height: int, width: int) -> None:
        """Set what the file takes besides the image."""

    def _resize(self, height: int, width: int) -> None:
        self._interpreter.resize_tensor_input(self._input["index"], (1, height, width, self.channels), strict=False)
        try:
            with silenced():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path}: cannot run at {height}x{width} ({one_line(error)}): give a smaller `tile`") from error
        self._window = (height, width)

    def _try_resizing(self) -> tuple[bool, int]:
        """Run small windows of other shapes, of any size and of multiples: some files have their size written into the graph, and
        only running them tells.
        """
        for multiple in _MULTIPLES:
            fits = [side % multiple == 0 and side > multiple for side in self.tile]
            if not all(fits) and multiple > 1:
                continue
            # Smaller than the file's own: a row that is taken by its number is not there then, in larger windows it is another one.
            wanted = _PROBE_HW if multiple == 1 else (5 * multiple, 3 * multiple)
            height, width = (max(min(side, own - multiple), 1) for side, own in zip(wanted, self.tile))
            if height == width:  # which a graph that exchanges rows and columns would pass
                width = self.tile[1]
            if self._runs_at(height, width):
                return True, multiple
            self._open()  # a fresh interpreter has the file's own shape again
            self._window = self.tile
        return False, 1

    def _runs_at(self, height: int, width: int) -> bool:
        try:
            self._resize(height, width)
            self._interpreter.set_tensor(self._input["index"], np.zeros((1, height, width, self.channels), self.input_dtype))
            self._feed(height, width)
            with silenced():
                self._interpreter.invoke()
            shape = tuple(self._interpreter.get_tensor(self._output["index"]).shape)
        except (ModelError, RuntimeError, ValueError):  # LiteRT's way of saying that the size is fixed
            return False
        return shape == (1, height * self.scale, width * self.scale, self.channels)

    def to_tensor(self, window: np.ndarray) -> np.ndarray:
        """What `infer` is given, (h, w, channels) float32, in the numbers of the file's input tensor."""
        if self.input_dtype not in _INTEGERS:
            return window.astype(self.input_dtype, copy=False)
        scale, zero_point = self._input["quantization"]
        limits = np.iinfo(self.input_dtype)
        steps = np.rint(window * np.float32(1 / scale)) + zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.input_dtype)

    def from_tensor(self, result: np.ndarray) -> np.ndarray:
        """The inverse, of its output tensor: float32."""
        if self.output_dtype not in _INTEGERS:
            return result.astype(np.float32, copy=False)
        scale, zero_point = self._output["quantization"]
        values = result.astype(np.float32)  # 55 MB for a large tile: what follows makes no others
        values -= zero_point
        values *= np.float32(scale)
        return values


def _super_resolution_shapes(
    path: Path, interpreter: "Interpreter", image: int, upscaled: int
) -> tuple[int, tuple[int, int], int]:
    """Read scale, tile and channels from the shapes of two tensors, or say why the file is not a super-resolution model."""

    def details() -> tuple[dict[str, Any], dict[str, Any]]:
        tensors = {t["index"]: t for t in (*interpreter.get_input_details(), *interpreter.get_output_details())}
        return tensors[image], tensors[upscaled]

    source, target = details()
    for role, tensor in (("input", source), ("output", target)):
        if np.dtype(tensor["dtype"]) not in (np.float32, *_INTEGERS):
            raise ModelError(f"{path}: {role} tensor of {np.dtype(tensor['dtype'])}: need float32, int8, uint8 or int16")
        if np.dtype(tensor["dtype"]) in _INTEGERS and not tensor["quantization"][0] > 0:
            raise ModelError(f"{path}: {role} tensor of {np.dtype(tensor['dtype'])} without quantization: convert the model again")
    if -1 in source["shape_signature"] and len(source["shape"]) == 4:  # free height and width: the stored shape says nothing, so ask at one
        named = int(source["shape_signature"][3])
        try:
            interpreter.resize_tensor_input(source["index"], (1, 64, 64, named if named > 0 else 3), strict=False)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: cannot run at 64x64 ({one_line(error)}): convert it with a static shape") from error
        source, target = details()
    shape_in, shape_out = tuple(map(int, source["shape"])), tuple(map(int, target["shape"]))
    shapes = f"{path}: input {list(shape_in)}, output {list(shape_out)}"
    problem = f"{shapes}: not super-resolution, which is [1, h, w, c] in and [1, s*h, s*w, c] out, with 3 channels or 1"
    if len(shape_in) == 4 and shape_in[1] in (1, 3) and shape_in[3] not in (1, 3):
        raise ModelError(f"{problem}; the channels come first here: convert it with channels last")
    if len(shape_in) != 4 or len(shape_out) != 4 or shape_in[0] != 1 or shape_out[0] != 1 or shape_in[3] not in (1, 3):
        raise ModelError(f"{problem}: give another model")
    scale = shape_out[1] // shape_in[1]
    if scale < 1 or shape_out[1:] != (shape_in[1] * scale, shape_in[2] * scale, shape_in[3]):
        raise ModelError(f"{problem}, with one whole number s: give another model")
    return scale, (shape_in[1], shape_in[2]), shape_in[3]


def _range_name(tensor: dict[str, Any]) -> str:
    """What black and white are by a tensor's own parameters: integer files are quantized on values of their range."""
    dtype = np.dtype(tensor["dtype"])
    if dtype not in _INTEGERS:
        return "0..1"
    limits, (scale, zero_point) = np.iinfo(dtype), tensor["quantization"]
    if scale * (limits.max - limits.min) > 32:
        return "0..255"
    signed = dtype != np.int16 and scale * (limits.min - zero_point) < -0.5  # 16 bits are always symmetric
    return "-1..1" if signed else "0..1"
