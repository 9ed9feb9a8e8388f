"""Into how many pieces XNNPACK, the CPU delegate, splits a .tflite: one is whole, more cost copies between them."""

from pathlib import Path

from keras_models.system.errors import ModelError
from keras_models.system.quiet import silenced
from keras_models.system.sandbox import isolated

PRELOADED = ("ai_edge_litert.interpreter",)
"""For `count_here`, see `keras_models.system.sandbox`."""


def cpu_partitions(path: str | Path) -> int:
    """The number of pieces the graph runs in: 1 if a single delegate takes everything from the input to the output.

    Operations left outside the delegate count as one more piece.

    Args:
        path: a .tflite; LiteRT opens it in a process of its own.

    Raises:
        ModelError: LiteRT cannot open it.
    """
    return isolated(
        "conversion.tflite.partitions:count_here",
        [str(path)],
        lambda said: ModelError(f"{path}: LiteRT cannot open this file ({said}): convert it again, with builtin operators"),
    )


def count_here(path: str) -> int:
    """As `cpu_partitions`, in this process."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
    operations = interpreter._get_ops_details()
    delegates = [op for op in operations if op["op_name"] == "DELEGATE"]
    inputs = {detail["index"] for detail in interpreter.get_input_details()}
    outputs = {detail["index"] for detail in interpreter.get_output_details()}
    reads = {int(i) for op in delegates for i in op["inputs"]}
    writes = {int(i) for op in delegates for i in op["outputs"]}
    if len(delegates) == 1 and inputs <= reads and writes == outputs:
        return 1
    return len(delegates) + 1
