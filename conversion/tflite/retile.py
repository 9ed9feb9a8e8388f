"""The same .tflite for another static tile, without converting again: the interpreter's shapes are written into the file."""

from conversion.tflite.check import packed, parse_checked
from keras_models.system.errors import ModelError, one_line
from keras_models.system.quiet import silenced


def at_tile(data: bytes, height: int, width: int) -> bytes:
    """A file that computes the same function on images of another size.

    Args:
        data: a .tflite of one image [1, h, w, 3] in.
        height: low-resolution pixels.
        width: low-resolution pixels.

    Raises:
        ModelError: the file's size is written into its graph.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with silenced():
            interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (1, height, width, 3))
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"this file cannot run at {height}x{width} ({one_line(error)}): convert it again") from error
    model = parse_checked(data, "model")
    tensors = model.subgraphs[0].tensors
    for detail in interpreter.get_tensor_details():
        if detail["index"] < len(tensors) and len(detail["shape"]):
            tensors[detail["index"]].shape = [int(side) for side in detail["shape"]]
            tensors[detail["index"]].shapeSignature = None  # which of a file of free size says that it is free
    return packed(model)
