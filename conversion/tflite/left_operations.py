"""Which operations of a .tflite XNNPACK, the CPU delegate, leaves to TFLite's own kernels: the runtime itself is asked."""

from typing import TYPE_CHECKING

from keras_models.system.quiet import silenced

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def left_by_xnnpack(interpreter: "Interpreter") -> list[int]:
    """Numbers of the operations that no delegate runs, in the graph's order.

    LiteRT lists the operations as the file has them, and behind them the delegates with the tensors that go in and come out. What
    is made inside of a delegate is neither; so, from the end, an operation is left if its result is asked for and no delegate
    gives it.

    Args:
        interpreter: of one subgraph, with its tensors allocated.
    """
    listed = interpreter._get_ops_details()
    delegates = [operation for operation in listed if operation["op_name"] == "DELEGATE"]
    given = {int(tensor) for delegate in delegates for tensor in delegate["outputs"]}
    wanted = {int(tensor) for delegate in delegates for tensor in delegate["inputs"]}
    wanted |= {detail["index"] for detail in interpreter.get_output_details()}
    left = []
    for number, operation in reversed([*enumerate(listed)]):
        results = {int(tensor) for tensor in operation["outputs"]} - given
        if operation["op_name"] != "DELEGATE" and results & wanted:
            left.append(number)
            wanted |= {int(tensor) for tensor in operation["inputs"]}
    return left[::-1]


def opened(data: bytes) -> "Interpreter":
    """An interpreter of a .tflite's bytes, on one thread.

    Raises:
        RuntimeError: LiteRT cannot run it (or a ValueError).
    """
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter
