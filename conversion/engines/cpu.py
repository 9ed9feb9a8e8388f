"""The CPU engine: any super-resolution .tflite through ai-edge-litert, one window at a time."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conversion.engines.halo import measure_halo
from conversion.engines.proof import Proof, prove
from conversion.engines.threads import usable_threads
from keras_models.system.errors import ModelError, one_line
from keras_models.system.quiet import silenced

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

# Small, odd and unequal: a graph with a hard-coded size anywhere cannot pass by luck.
_PROBE_HW = (21, 13)
_INTEGERS = (np.int8, np.uint8, np.int16)


class CpuEngine:
    """Opens a .tflite of one image in and one image out, and upscales windows with XNNPACK.

    Not safe for use from several threads at once.

    Attributes:
        path: the file.
        scale: int, how many times larger the output is.
        tile: (height, width), the file's own static window, low-resolution pixels.
        resizable: True if the file runs at any window size.
        passes: runs of every tile of an image, 1 here.
        halo: real pixels around a tile's core that the network needs, low-resolution pixels.
        input_dtype: NumPy dtype of the file's input tensor.
        output_dtype: NumPy dtype of the file's output tensor.
        threads: int, CPU threads used.
    """

    passes = 1

    def __init__(self, path: str | Path, threads: int | None = None, proof: Proof | None = None) -> None:
        """Open and check the file.

        Args:
            path: a .tflite file.
            threads: CPU threads, None for all cores, of which more than there are are not started.
            proof: what `prove` learned of the file; None has it proven now.

        Raises:
            ModelError: the file is missing, damaged, cannot be run, or is not a super-resolution model.
        """
        self.path = Path(path)
        self.threads = usable_threads(threads)
        self._proof = proof or prove(self.path)
        self._open()
        self.scale, self.tile = _super_resolution_shapes(self.path, self._interpreter, self._input["index"], self._output["index"])
        self._window = self.tile
        self.input_dtype = np.dtype(self._input["dtype"])
        self.output_dtype = np.dtype(self._output["dtype"])
        self._input_range = _value_range(self._input)
        self._output_range = _value_range(self._output)
        self.resizable = self._try_resizing() if self._proof.resizable is None else self._proof.resizable

    @property
    def bytes_per_pixel(self) -> float:
        """What the intermediates need, a pixel of the window."""
        return self._proof.bytes_per_pixel

    @cached_property
    def halo(self) -> int:
        """Real pixels around a tile's core that the network needs: what the file's card declares, else measured on the file."""
        return measure_halo(self) if self._proof.halo is None else self._proof.halo

    def run(self, window_nhwc: np.ndarray) -> np.ndarray:
        """Upscale one window.

        Args:
            window_nhwc: (h, w, 3) float32 RGB in [0, 1]; h and w are free if `resizable`, else they are `tile`.

        Returns:
            (scale * h, scale * w, 3) float32 RGB, not clipped.

        Raises:
            ModelError: the window does not fit, or LiteRT fails.
        """
        height, width, _ = window_nhwc.shape
        if (height, width) != self._window:
            if not self.resizable:
                raise ModelError(f"{self.path}: a window of {height}x{width}: this file runs only at {self.tile[0]}x{self.tile[1]}")
            self._resize(height, width)
        try:
            self._interpreter.set_tensor(self._input["index"], self._to_tensor(window_nhwc)[None])
            self._feed(height, width)
            self._interpreter.invoke()
            result = self._interpreter.get_tensor(self._output["index"])[0]
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path}: LiteRT failed on a {height}x{width} window ({one_line(error)}): try another `tile`") from error
        return self._from_tensor(result)

    def _open(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with silenced():
                self._interpreter = Interpreter(model_path=str(self.path), num_threads=self.threads)
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
        self._interpreter.resize_tensor_input(self._input["index"], (1, height, width, 3), strict=False)
        try:
            with silenced():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.path}: cannot run at {height}x{width} ({one_line(error)}): give a smaller `tile`") from error
        self._window = (height, width)

    def _try_resizing(self) -> bool:
        """Run a small window of another shape: some files have their size written into the graph, and only running them tells."""
        try:
            self._resize(*_PROBE_HW)
            self._interpreter.set_tensor(self._input["index"], np.zeros((1, *_PROBE_HW, 3), self.input_dtype))
            self._feed(*_PROBE_HW)
            with silenced():
                self._interpreter.invoke()
            shape = tuple(self._interpreter.get_tensor(self._output["index"]).shape)
            if shape == (1, _PROBE_HW[0] * self.scale, _PROBE_HW[1] * self.scale, 3):
                return True
        except (ModelError, RuntimeError, ValueError):
            pass  # LiteRT's way of saying that the size is fixed; a fresh interpreter has the file's own shape again
        self._open()
        self._window = self.tile
        return False

    def _to_tensor(self, window: np.ndarray) -> np.ndarray:
        if self.input_dtype not in _INTEGERS:
            return window.astype(self.input_dtype, copy=False)
        scale, zero_point = self._input["quantization"]
        limits = np.iinfo(self.input_dtype)
        steps = np.rint(window * np.float32(self._input_range / scale)) + zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.input_dtype)

    def _from_tensor(self, result: np.ndarray) -> np.ndarray:
        if self.output_dtype not in _INTEGERS:
            return result.astype(np.float32, copy=False)
        scale, zero_point = self._output["quantization"]
        return (result.astype(np.float32) - zero_point) * np.float32(scale / self._output_range)


def _super_resolution_shapes(path: Path, interpreter: "Interpreter", image: int, upscaled: int) -> tuple[int, tuple[int, int]]:
    """Read scale and tile from the shapes of two tensors, or say why the file is not a super-resolution model."""

    def details() -> tuple[dict[str, Any], dict[str, Any]]:
        tensors = {t["index"]: t for t in (*interpreter.get_input_details(), *interpreter.get_output_details())}
        return tensors[image], tensors[upscaled]

    source, target = details()
    for role, tensor in (("input", source), ("output", target)):
        if np.dtype(tensor["dtype"]) not in (np.float32, *_INTEGERS):
            raise ModelError(f"{path}: {role} tensor of {np.dtype(tensor['dtype'])}: need float32, int8, uint8 or int16")
        if np.dtype(tensor["dtype"]) in _INTEGERS and not tensor["quantization"][0] > 0:
            raise ModelError(f"{path}: {role} tensor of {np.dtype(tensor['dtype'])} without quantization: convert the model again")
    if -1 in source["shape_signature"]:  # free height and width: the stored shape says nothing, so ask at a shape
        interpreter.resize_tensor_input(source["index"], (1, 64, 64, 3), strict=False)
        try:
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: cannot run at 64x64 ({one_line(error)}): convert it with a static shape") from error
        source, target = details()
    shape_in, shape_out = tuple(map(int, source["shape"])), tuple(map(int, target["shape"]))
    shapes = f"{path}: input {list(shape_in)}, output {list(shape_out)}"
    problem = f"{shapes}: not super-resolution, which is [1, h, w, 3] in and [1, s*h, s*w, 3] out"
    if len(shape_in) == 4 and shape_in[1] == 3 and shape_in[3] != 3:
        raise ModelError(f"{problem}; the channels come first here: convert it with channels last")
    if len(shape_in) != 4 or len(shape_out) != 4 or shape_in[0] != 1 or shape_out[0] != 1 or shape_in[3] != 3 or shape_out[3] != 3:
        raise ModelError(f"{problem}: give another model")
    scale = shape_out[1] // shape_in[1]
    if scale < 1 or shape_out[1:3] != (shape_in[1] * scale, shape_in[2] * scale):
        raise ModelError(f"{problem}, with one whole number s: give another model")
    return scale, (shape_in[1], shape_in[2])


def _value_range(tensor: dict[str, Any]) -> float:
    """White in the tensor's real values: 1, or 255 for integer files quantized on images in [0, 255] (their own parameters tell)."""
    dtype = np.dtype(tensor["dtype"])
    if dtype not in _INTEGERS:
        return 1.0
    limits = np.iinfo(dtype)
    return 255.0 if tensor["quantization"][0] * (limits.max - limits.min) > 32 else 1.0
