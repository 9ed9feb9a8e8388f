"""Every tensor of a .tflite on the CPU: the file is run without delegates, keeping all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_models.system.errors import ModelError, one_line
from keras_models.system.quiet import silenced


def all_tensors(data: bytes, feeds: Sequence[Mapping[int, np.ndarray]], wanted: set[int], path: str | Path) -> list[dict[int, np.ndarray]]:
    """Runs a file and keeps what its operations make.

    Args:
        data: the .tflite.
        feeds: index of an input's tensor -> value, a run each.
        wanted: indices of the tensors to keep.
        path: what an error calls the file.

    Returns:
        Of each run, index -> value.

    Raises:
        ModelError: LiteRT cannot run it.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with silenced():
            interpreter = Interpreter(
                model_content=data,
                num_threads=2,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            return [_one_run(interpreter, feed, wanted) for feed in feeds]
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: LiteRT cannot run this file ({one_line(error)}): give other inputs, or another file") from error


def _one_run(interpreter: object, feed: Mapping[int, np.ndarray], wanted: set[int]) -> dict[int, np.ndarray]:
    for index, value in feed.items():
        interpreter.resize_tensor_input(index, value.shape)  # type: ignore[attr-defined]
    interpreter.allocate_tensors()  # type: ignore[attr-defined]
    for index, value in feed.items():
        interpreter.set_tensor(index, value)  # type: ignore[attr-defined]
    interpreter.invoke()  # type: ignore[attr-defined]
    return {index: np.array(interpreter.get_tensor(index)) for index in sorted(wanted)}  # type: ignore[attr-defined]
