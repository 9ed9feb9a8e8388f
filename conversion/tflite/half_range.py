"""Does a .tflite stay inside half precision? Every intermediate of the real file is measured on real images.

Phone GPUs compute in half precision by default; a value above 65504 becomes infinite there, and the image NaN or black.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_models.system.quiet import silenced

HALF_MAX = 65504.0


@dataclass(frozen=True)
class HalfRange:
    """Largest magnitudes of a file's float tensors.

    Attributes:
        largest: over all tensors.
        tensor: the name of that tensor.
        over: names of all tensors beyond half's range, largest first.
    """

    largest: float
    tensor: str
    over: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """True if no tensor leaves half's range."""
        return not self.over


def measure_half_range(path: str | Path, images: Iterable[np.ndarray], threads: int = 2) -> HalfRange:
    """Runs the file without delegates, keeping all tensors, and measures them (weights included).

    Args:
        path: a .tflite with float tensors.
        images: (1, H, W, 3) float32 in [0, 1], of any size; the input is resized to each.
        threads: of the interpreter.
    """
    largest = tensor_ranges(path, images, threads)
    ranked = sorted(largest, key=largest.__getitem__, reverse=True)
    over = tuple(name for name in ranked if largest[name] > HALF_MAX)
    return HalfRange(largest[ranked[0]], ranked[0], over)


def tensor_ranges(path: str | Path, images: Iterable[np.ndarray], threads: int = 2) -> dict[str, float]:
    """Tensor name -> its largest magnitude over the images, inf where it was not finite; arguments as above."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with silenced():
        interpreter = Interpreter(
            str(path),
            num_threads=threads,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    largest: dict[str, float] = {}
    for image in images:
        feed = interpreter.get_input_details()[0]
        if tuple(feed["shape"]) != image.shape:
            interpreter.resize_tensor_input(feed["index"], image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(feed["index"], image.astype(feed["dtype"]))
        interpreter.invoke()
        for detail in interpreter.get_tensor_details():
            # What has no name is no tensor of the file but scratch memory of a kernel.
            if detail["name"] and detail["dtype"] in (np.float32, np.float16) and detail["shape"].size:
                with np.errstate(over="ignore", invalid="ignore"):
                    value = np.abs(interpreter.get_tensor(detail["index"]).astype(np.float32)).max(initial=0.0)
                value = float(value) if np.isfinite(value) else float("inf")
                largest[detail["name"]] = max(largest.get(detail["name"], 0.0), value)
    return largest
