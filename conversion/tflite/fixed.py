"""A .tflite of free sizes at fixed ones: the interpreter's shapes are written into the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from conversion.tflite.check import packed, parse_checked
from keras_models.system.errors import ModelError, one_line
from keras_models.system.quiet import silenced


def at_shapes(data: bytes, shapes: Mapping[int, Sequence[int]], path: str | Path) -> bytes:
    """A file that computes the same of inputs of these shapes, every tensor's size being fixed.

    Args:
        data: a .tflite.
        shapes: index of an input's tensor -> shape; the others keep theirs.
        path: what an error calls it.

    Raises:
        ModelError: it does not run at these sizes.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with silenced():
            interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
            for index, shape in shapes.items():
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
            details = interpreter.get_tensor_details()
    except (RuntimeError, ValueError) as error:
        sizes = ", ".join("x".join(map(str, shape)) for shape in shapes.values())
        raise ModelError(f"{path}: LiteRT cannot run it at {sizes} ({one_line(error)}): give other sizes (`shape`)") from error
    model = parse_checked(data, str(path))
    tensors = model.subgraphs[0].tensors
    for detail in details:
        if detail["index"] < len(tensors) and len(detail["shape"]):
            tensors[detail["index"]].shape = [int(side) for side in detail["shape"]]
            tensors[detail["index"]].shapeSignature = None
    return packed(model)
