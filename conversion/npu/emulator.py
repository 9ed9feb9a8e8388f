"""A compiled file on this machine: Qualcomm's x86 emulation of the Hexagon, in a process of its own with a time limit.

It computes what a Hexagon computes, and takes seconds a tile. It has no notion of time: what it calls cycles is this machine's clock.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from conversion.npu.emulator_process import array_bytes, read_array
from conversion.npu.package import QAIRT, npu_package
from conversion.npu.socs import Soc
from keras_models.system.errors import ModelError
from keras_models.system.processes import Task, serve

TIME_LIMIT_S = 600.0
"""For opening a context, and for one tile; one of 256x256 takes LKDN a minute on an idle core."""

_OTHER_VERSION = ("QNN_CONTEXT_ERROR", "context binary", "LoadCachedQnnContext")
"""What onnxruntime says where Qualcomm's library does not take a context."""


@contextlib.contextmanager
def emulated(model: Path, soc: Soc, name: str | Path, time_limit_s: float = TIME_LIMIT_S) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Opens a context for a SoC; yields what runs it: an input tensor to the output.

    Args:
        model: an .onnx of `conversion.npu.context` or of `conversion.npu.compile_onnx`.
        soc: what it was compiled for.
        name: what errors call it.
        time_limit_s: seconds, for opening it, and for each run.

    Raises:
        ModelError: the extra is missing, the context is of another version or SoC, or the process died or took too long.
    """
    npu_package()

    def failed(how: str) -> ModelError:
        if any(words in how for words in _OTHER_VERSION):
            wanted = f"QAIRT {QAIRT} does not take this context for {soc.name}: it is another version's or another SoC's, or damaged"
            return ModelError(f"{name}: {wanted}: compile it again")
        return ModelError(f"{name}: the emulation of {soc.name}: {how}: try a smaller tile")

    arguments = [str(model), soc.number, soc.arch]
    with serve(Task("conversion.npu.emulator_process:tensors", arguments, time_limit_s, failed)) as child:
        child.answer()
        yield lambda tensor: read_array(child.ask(array_bytes(tensor), time_limit_s))
