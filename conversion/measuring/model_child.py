"""Runs a model of any kind and any inputs, in the child of `conversion.measuring.any_model`: a stranger's file may crash or hang.

A kind is a function from a path to a description and a function that runs it: values in the order of the inputs to values of the outputs.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from conversion.tflite.made_inputs import Wanted
from keras_models.system.errors import ModelError, one_line

Runs = Callable[[list[np.ndarray]], Sequence[np.ndarray]]
"""Values in the order of the inputs, to those of the outputs."""


def open_model(kind: str, path: str, signature: str | None) -> Generator[dict, dict, None]:
    """Opens a model, describes it, and runs it whenever it is asked.

    Args:
        kind: a key of `KINDS`.
        path: the file, or the folder of a SavedModel.
        signature: which one; None for the first.

    Yields:
        {"inputs": [fields of `Wanted`], "outputs": [names], "signatures": [names]}, then for {"inputs": [.npy files], "folder": path} the
        names of .npy files.

    Raises:
        ModelError: it cannot be opened or run.
    """
    try:
        wanted, outputs, signatures, run = KINDS[kind](path, signature)
    except ModelError:
        raise
    except Exception as error:  # each library raises its own
        raise ModelError(f"{path}: cannot be opened ({one_line(error)}): give another file") from None
    asked = yield {"inputs": [asdict(want) for want in wanted], "outputs": outputs, "signatures": signatures}
    while True:
        try:
            made = run([np.load(name) for name in asked["inputs"]])
        except Exception as error:  # as above
            raise ModelError(f"{path}: cannot run on these inputs ({one_line(error)}): give others (`inputs`, `shape`)") from None
        files = []
        for number, value in enumerate(made):
            files.append(str(Path(asked["folder"]) / f"made{number}.npy"))
            np.save(files[-1], np.asarray(value))
        asked = yield {"outputs": files}


def _tflite(path: str, signature: str | None) -> tuple[list[Wanted], list[str], list[str], Runs]:
    from ai_edge_litert.interpreter import Interpreter

    from conversion.tflite.check import read_checked
    from conversion.tflite.made_inputs import wanted_inputs

    data, model = read_checked(path)
    interpreter = Interpreter(model_content=data, num_threads=2)
    listed = interpreter.get_signature_list()
    if signature is None and len(listed) < 2:
        names = _names_of_one(listed, interpreter)
        wanted = wanted_inputs(model, names[0])
        outputs = [names[1].get(d["index"], d["name"]) for d in interpreter.get_output_details()]

        def run(values: list[np.ndarray]) -> list[np.ndarray]:
            for want, value in zip(wanted, values):
                interpreter.resize_tensor_input(want.index, value.shape)
            interpreter.allocate_tensors()
            for want, value in zip(wanted, values):
                interpreter.set_tensor(want.index, value)
            interpreter.invoke()
            return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]

        return wanted, outputs, [*listed], run
    if signature is not None and signature not in listed:
        raise ModelError(f"{path}: no signature {signature!r}: it has {', '.join(listed) or 'none'}")
    runner = interpreter.get_signature_runner(signature or next(iter(listed)))
    wanted = [_of_details(name, detail) for name, detail in runner.get_input_details().items()]
    outputs = [*runner.get_output_details()]
    return wanted, outputs, [*listed], lambda values: [runner(**dict(zip([w.name for w in wanted], values)))[name] for name in outputs]


def _names_of_one(listed: dict, interpreter: Any) -> tuple[dict[int, str], dict[int, str]]:
    """Index -> name in the only signature, of inputs and of outputs; empty without one."""
    if not listed:
        return {}, {}
    runner = interpreter.get_signature_runner(next(iter(listed)))
    details = (runner.get_input_details(), runner.get_output_details())
    inputs, outputs = ({int(detail["index"]): name for name, detail in part.items()} for part in details)
    return inputs, outputs


def _of_details(name: str, detail: dict) -> Wanted:
    scale, zero = detail["quantization"]
    shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    return Wanted(int(detail["index"]), name, tuple(map(int, shape)), np.dtype(detail["dtype"]).name, float(scale) or None, int(zero))


def _onnx(path: str, signature: str | None) -> tuple[list[Wanted], list[str], list[str], Runs]:
    from conversion.engines.onnx_proof import open_session
    from conversion.onnx.load import read_onnx

    _no_signature(path, signature)
    read_onnx(path)
    session = open_session(Path(path), 2)
    types = {"float": "float32", "double": "float64"}
    wanted = []
    for place, told in enumerate(session.get_inputs()):
        word = told.type.removeprefix("tensor(").removesuffix(")")
        shape = tuple(side if isinstance(side, int) and side > 0 else -1 for side in told.shape)
        wanted.append(Wanted(place, told.name, shape, types.get(word, word)))
    outputs = [told.name for told in session.get_outputs()]
    return wanted, outputs, [], lambda values: session.run(outputs, dict(zip([w.name for w in wanted], values)))


def _keras(path: str, signature: str | None) -> tuple[list[Wanted], list[str], list[str], Runs]:
    from keras_models.system.quiet import import_keras

    _no_signature(path, signature)
    import_keras()
    import keras

    network = _own_network(path)
    if network is None:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    wanted = [
        Wanted(place, str(told.name), tuple(-1 if side is None else int(side) for side in told.shape), str(told.dtype))
        for place, told in enumerate(network.inputs)
    ]

    def run(values: list[np.ndarray]) -> list[np.ndarray]:
        made = network(values[0] if len(values) == 1 else values, training=False)
        flat = made.values() if isinstance(made, dict) else made if isinstance(made, list | tuple) else [made]
        return [keras.ops.convert_to_numpy(value) for value in flat]

    return wanted, [str(name) for name in network.output_names] if hasattr(network, "output_names") else ["output"], [], run


def _own_network(path: str) -> Any:
    """A network of this project, which Keras alone cannot open; None if it is another one."""
    from keras_models import load_model

    with contextlib.suppress(ModelError):
        return load_model(path)
    return None


def _saved_model(path: str, signature: str | None) -> tuple[list[Wanted], list[str], list[str], Runs]:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signatures = dict(loaded.signatures)
    if not signatures or (signature is not None and signature not in signatures):
        raise ModelError(f"{path}: no signature {signature or ''!r}: it has {', '.join(signatures) or 'none'}")
    function = signatures[signature or next(iter(signatures))]
    told = function.structured_input_signature[1]
    wanted = [
        Wanted(place, name, tuple(-1 if side is None else int(side) for side in spec.shape), spec.dtype.name)
        for place, (name, spec) in enumerate(told.items())
    ]
    outputs = [*function.structured_outputs]

    def run(values: list[np.ndarray]) -> list[np.ndarray]:
        made = function(**{want.name: tf.constant(value) for want, value in zip(wanted, values)})
        return [made[name].numpy() for name in outputs]

    run.kept = loaded  # type: ignore[attr-defined]  # the signatures do not keep what they use
    return wanted, outputs, [*signatures], run


def _no_signature(path: str, signature: str | None) -> None:
    if signature is not None:
        raise ModelError(f"{path}: it has no signatures: leave `signature` out")


KINDS: dict[str, Callable[[str, str | None], tuple[list[Wanted], list[str], list[str], Runs]]] = {
    "tflite": _tflite,
    "onnx": _onnx,
    "keras": _keras,
    "saved_model": _saved_model,
}
"""Kind of file -> what opens it."""
