"""Faults that are planted in an exported graph, each in one part of the model."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from onnx import TensorProto

from locoexport.graphs.walking import iterate_graphs, iterate_nodes

Fault = Callable[[onnx.ModelProto], None]


def perturb(name: str, amount: float = 0.5) -> Fault:
    """Add to the first number of the one weight whose name ends so."""

    def plant(model: onnx.ModelProto) -> None:
        (tensor,) = (
            t for g in iterate_graphs(model) for t in g.initializer if t.name.endswith(name)
        )
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.flat[0] += amount
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    return plant


def set_attribute(scope: str, op_type: str, attribute: str, value: object) -> Fault:
    """Change an attribute of the first such node in a scope."""

    def plant(model: onnx.ModelProto) -> None:
        node = next(
            n for n in iterate_nodes(model) if n.name.startswith(scope) and n.op_type == op_type
        )
        kept = [a for a in node.attribute if a.name != attribute]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(attribute, value)])

    return plant


def swap_inputs(made: str, first: int, second: int) -> Fault:
    """Swap two inputs of the node that makes a value, or of the one before a Reshape that does."""

    def plant(model: onnx.ModelProto) -> None:
        node = maker(model, made)
        if node.op_type == "Reshape":
            node = maker(model, node.input[0])
        inputs = list(node.input)
        inputs[first], inputs[second] = inputs[second], inputs[first]
        node.input[:] = inputs

    return plant


def change_operator(made: str, op_type: str) -> Fault:
    """Another operator in place of the one that makes a value."""

    def plant(model: onnx.ModelProto) -> None:
        maker(model, made).op_type = op_type

    return plant


def overflow_half(read_by: str, scale: float) -> Fault:
    """Through float16 what the node that makes ``read_by`` reads first, scaled up and down."""

    def plant(model: onnx.ModelProto) -> None:
        graph = model.graph
        reader = maker(model, read_by)
        index = next(i for i, node in enumerate(graph.node) if node is reader)
        constants = (("up", scale), ("down", 1 / scale))
        for name, value in constants:
            array = np.array(value, np.float32)
            graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        source = reader.input[0]
        chain = [
            onnx.helper.make_node("Mul", [source, "up"], ["large"], name="planted/Mul"),
            onnx.helper.make_node(
                "Cast", ["large"], ["half"], name="planted/Cast", to=TensorProto.FLOAT16
            ),
            onnx.helper.make_node(
                "Cast", ["half"], ["single"], name="planted/Cast_1", to=TensorProto.FLOAT
            ),
            onnx.helper.make_node("Mul", ["single", "down"], ["small"], name="planted/Mul_1"),
        ]
        for offset, node in enumerate(chain):
            graph.node.insert(index + offset, node)
        reader.input[0] = "small"

    return plant


def maker(model: onnx.ModelProto, value: str) -> onnx.NodeProto:
    return next(node for node in iterate_nodes(model) if value in node.output)
