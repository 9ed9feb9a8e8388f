"""An ONNX graph that is easy to rewrite: nodes with plain attributes, constants as arrays, who makes and who reads a tensor.

The order of the nodes means nothing while a graph is rewritten; `tidy` sorts it and drops what the output does not need.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from keras_models.system.errors import ConversionError


@dataclass(eq=False)
class OnnxNode:
    """One operation of the default ONNX domain.

    Attributes:
        op: ONNX's name of it.
        inputs: tensor names, "" for an optional one that is left out.
        outputs: tensor names.
        attrs: plain values: int, float, str, lists of them, or an array.
    """

    op: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]


class OnnxGraph:
    """A graph of one input and one output.

    Attributes:
        nodes: in any order.
        constants: tensor name -> value; replace an array, never change it in place.
        input: name of the image.
        output: name of the result.
        input_shape: (N, C, H, W), static.
        opset: version of the default domain.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Reads a model of one input with a static shape and one output.

        Raises:
            ConversionError: an operation of a foreign domain, or control flow.
        """
        graph = model.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.nodes: list[OnnxNode] = []
        (source,) = (i for i in graph.input if i.name not in self.constants)
        (result,) = graph.output
        self.input, self.output = source.name, result.name
        self.input_shape = tuple(d.dim_value for d in source.type.tensor_type.shape.dim)
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self._names = itertools.count()
        for node in graph.node:
            self._read(node)

    def _read(self, node: onnx.NodeProto) -> None:
        attributes = {a.name: a for a in node.attribute}
        if node.domain not in ("", "ai.onnx"):
            raise ConversionError(f"operation {node.domain}.{node.op_type} is not standard ONNX: export without runtime-specific fusions")
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            raise ConversionError(f"{node.op_type} is control flow: export a graph without loops and branches")
        if node.op_type == "Constant" and len(attributes) == 1 and (value := _constant(node.attribute[0])) is not None:
            self.constants[node.output[0]] = value
        else:
            attrs = {name: _plain(a) for name, a in attributes.items()}
            self.nodes.append(OnnxNode(node.op_type, list(node.input), list(node.output), attrs))

    def producer(self, tensor: str, op: str | None = None) -> OnnxNode | None:
        """The node that makes `tensor`, if there is one and it is an `op`."""
        node = next((n for n in self.nodes if tensor in n.outputs), None) if tensor else None
        return node if op is None or (node is not None and node.op == op) else None

    def users(self, tensor: str) -> list[OnnxNode]:
        """The nodes that read `tensor`."""
        return [node for node in self.nodes if tensor in node.inputs]

    def only_user(self, tensor: str, op: str | None = None) -> OnnxNode | None:
        """The node that reads `tensor`, if it alone does, once, it is an `op`, and `tensor` is not the graph's result."""
        users = self.users(tensor)
        alone = len(users) == 1 and users[0].inputs.count(tensor) == 1 and tensor != self.output
        return users[0] if alone and op in (None, users[0].op) else None

    def scalar(self, tensor: str | None) -> float | None:
        """The value of a constant of one element."""
        value = self.constants.get(tensor or "")
        return float(value.reshape(())) if value is not None and value.size == 1 else None

    def other_input(self, node: OnnxNode, tensor: str) -> str | None:
        """The other input of a node of two."""
        if len(node.inputs) != 2 or tensor not in node.inputs:
            return None
        return node.inputs[1] if node.inputs[0] == tensor else node.inputs[0]

    def constant(self, value: np.ndarray | np.generic, hint: str = "constant") -> str:
        """Adds a constant; returns its name."""
        name = self._free_name(hint)
        self.constants[name] = np.asarray(value)
        return name

    def add(self, op: str, inputs: Iterable[str], attrs: dict[str, Any] | None = None, output: str | None = None) -> str:
        """Adds a node; returns the name of its output."""
        name = output or self._free_name(op.lower())
        self.nodes.append(OnnxNode(op, list(inputs), [name], attrs or {}))
        return name

    def replace(self, old: str, new: str) -> None:
        """Whatever read `old` reads `new`; if `old` was the result, `new` is."""
        for node in self.nodes:
            node.inputs = [new if name == old else name for name in node.inputs]
        if self.output == old:
            self.output = new

    def tidy(self) -> None:
        """Sorts the nodes, and drops nodes and constants that the output does not need.

        Raises:
            ConversionError: the graph reads a tensor that nothing makes, or has a cycle.
        """
        makers = {name: node for node in self.nodes for name in node.outputs}
        known, stack = self.constants.keys() | {self.input, ""}, [self.output]
        order: TopologicalSorter[OnnxNode] = TopologicalSorter()
        seen: set[str] = set()
        while stack:
            tensor = stack.pop()
            if tensor in known or tensor in seen:
                continue
            if tensor not in makers:
                raise ConversionError(f"the graph reads {tensor!r}, which nothing makes: export it again")
            seen.add(tensor)
            order.add(makers[tensor], *(makers[i] for i in makers[tensor].inputs if i in makers))
            stack.extend(makers[tensor].inputs)
        try:
            self.nodes = list(order.static_order())
        except CycleError:
            raise ConversionError("the graph runs in a circle: export it again") from None
        needed = {name for node in self.nodes for name in node.inputs} | {self.output}
        self.constants = {name: value for name, value in self.constants.items() if name in needed}

    def to_model(self, outputs: Iterable[str] = ()) -> onnx.ModelProto:
        """An ONNX model of the graph as it stands.

        Args:
            outputs: names of float tensors of rank 4 to give besides the result.
        """
        self.tidy()
        image = helper.make_tensor_value_info(self.input, onnx.TensorProto.FLOAT, self.input_shape)
        names = dict.fromkeys([self.output, *outputs])
        given = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (None,) * 4) for name in names]
        nodes = [self.to_proto(node) for node in self.nodes]
        constants = [numpy_helper.from_array(np.asarray(value, order="C"), name) for name, value in self.constants.items()]
        graph = helper.make_graph(nodes, "super_resolution", [image], given, constants)
        # Version 10 is the newest that every reader used here accepts.
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10, producer_name="mobile-sr")

    def to_proto(self, node: OnnxNode) -> onnx.NodeProto:
        """The node in ONNX's form."""
        attributes = {k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v for k, v in node.attrs.items()}
        return helper.make_node(node.op, node.inputs, node.outputs, name=node.output, **attributes)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Static shapes of all tensors whose shape can be told.

        Raises:
            ConversionError: shapes contradict each other.
        """
        try:
            inferred = onnx.shape_inference.infer_shapes(self.to_model(), strict_mode=True, data_prop=True).graph
        except onnx.shape_inference.InferenceError as error:
            raise ConversionError(f"its shapes do not fit together ({' '.join(str(error).split())[:200]}): export it again") from None
        shapes = {name: value.shape for name, value in self.constants.items()}
        for info in (*inferred.input, *inferred.value_info, *inferred.output):
            dims = info.type.tensor_type.shape.dim
            if info.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
                shapes[info.name] = tuple(d.dim_value for d in dims)
        return shapes

    def _free_name(self, hint: str) -> str:
        taken = {name for node in self.nodes for name in node.outputs} | self.constants.keys() | {self.input}
        return next(name for i in self._names if (name := f"{hint}_{i}") not in taken)


def _constant(attribute: onnx.AttributeProto) -> np.ndarray | None:
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.to_array(value)
    dtype = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}.get(attribute.name)
    return None if dtype is None else np.asarray(value, dtype)


def _plain(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
