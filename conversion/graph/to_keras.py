"""From a graph to a functional Keras model of stock layers, which is what the TFLite converter takes."""

from collections.abc import Iterable

import keras

from conversion.graph.ir import Graph
from conversion.graph.ops import OPS


def to_keras(graph: Graph, height: int | None, width: int | None, taps: Iterable[str] = ()) -> keras.Model:
    """A functional model of stock layers, equal to the graph.

    Args:
        graph: the graph.
        height: static low-resolution height, or None for any (batch is then any, too).
        width: as height.
        taps: names of nodes whose values are outputs besides "upscaled".

    Returns:
        A model: "image" (N, H, W, 3), or a list if the graph has several inputs, to a dict {"upscaled": ..., **taps}.
    """
    batch = 1 if height else None
    values = {}
    for node in graph.nodes.values():
        if node.op == "input":
            sides = (height, width) if node.shape[1:3] != (1, 1) else (1, 1)
            values[node.name] = keras.Input(batch_shape=(batch, *sides, node.shape[-1]), name=node.name)
        else:
            row = OPS[node.op]
            values[node.name] = (row.layer or row.run)(node, *(values[name] for name in node.inputs))
    outputs = {"upscaled": values[graph.output.name], **{name: values[name] for name in taps}}
    inputs = [value for name, value in values.items() if graph.nodes[name].op == "input"]
    # A name of its own: Keras would count the models of the process, and the count would be in the names of a .tflite's tensors.
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name="super_resolution")
