"""Which operators compute other bits at another version of their opset, in ONNX Runtime's CPU.

    python benchmarks/version_kernels.py [--rounds 300]

The origin of the tolerances in ``lowering/proof/kernels.py``. Every model of ONNX's backend node
suite of opset 17 or more is lowered to each opset from 16 to 20 and run beside itself, in float32,
double and float16, on its own inputs and on five lists of random ones (small inputs of integers
become constants). Pooling, whose two kernels sum in another order, is run at random attributes and
shapes as well. Prints a line for each operator and pair of versions: how many runs, how many of
them differ, the largest difference, and that in units of the largest value. Takes a minute.
"""

from __future__ import annotations

import argparse
import collections
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import locoexport  # noqa: F401 - it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from locoexport.errors import LocoExportError
from locoexport.lowering.opset.versions import LoweredOpset, default_opset, lower_opset
from locoexport.lowering.proof.differences import worst_difference
from locoexport.lowering.proof.runners import CannotRunError, on_onnxruntime

TARGETS = range(16, 21)
NEWEST = 26
TYPES = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
}
SPREADS = (1, 4, 0.1, 1, 4)
MOST_CONSTANT = 16


@dataclass
class Row:
    """Of one operator, two versions and one type: runs, those that differ, and by how much."""

    runs: int = 0
    apart: int = 0
    worst: float = 0.0
    relative: float = 0.0


Rows = dict[tuple[str, int, int, str], Row]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="random models of pooling")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: Rows = collections.defaultdict(Row)
    for model, inputs in suite():
        compare(model, inputs, rows)
    for seed in range(options.rounds):
        compare(*random_pooling(np.random.default_rng(seed)), rows)
    for (operator, before, after, kind), row in sorted(rows.items()):
        found = "equal"
        if row.apart:
            found = f"{row.apart} apart, at most {row.worst:.3g}, relative {row.relative:.3g}"
        print(f"{operator} {before} -> {after}, {kind}: {row.runs} runs, {found}")


def suite() -> Iterator[tuple[onnx.ModelProto, list[NDArray[np.generic]]]]:
    """The node suite's models with their inputs."""
    for case in collect_testcases(None):
        opset = default_opset(case.model) or 0
        domains = {node.domain for node in case.model.graph.node}
        if not TARGETS[0] < opset <= NEWEST or domains - {"", "ai.onnx"} or not case.data_sets:
            continue
        given = case.data_sets[0][0]
        if all(isinstance(value, np.ndarray) for value in given):
            yield with_constants(case.model, given)


def with_constants(
    model: onnx.ModelProto, given: list[NDArray[np.generic]]
) -> tuple[onnx.ModelProto, list[NDArray[np.generic]]]:
    """Axes, sizes and the like as constants: lowering needs to know them."""
    fixed, free = onnx.ModelProto(), []
    fixed.CopyFrom(model)
    del fixed.graph.input[:]
    for value, array in zip(model.graph.input, given, strict=True):
        if array.dtype == np.int64 and array.size <= MOST_CONSTANT and len(given) > 1:
            fixed.graph.initializer.append(numpy_helper.from_array(array, value.name))
        else:
            fixed.graph.input.append(value)
            free.append(array)
    return fixed, free


def random_pooling(
    random: np.random.Generator,
) -> tuple[onnx.ModelProto, list[NDArray[np.generic]]]:
    """AveragePool, MaxPool or LpPool of 1 to 3 axes, with all their attributes."""
    axes = int(random.integers(1, 4))
    largest = 6 if random.random() < 0.7 else 20
    kernel = random.integers(1, largest, axes).tolist()
    operator = str(random.choice(["AveragePool", "AveragePool", "MaxPool", "LpPool"]))
    more: dict[str, object] = {"strides": random.integers(1, 4, axes).tolist()}
    if random.random() < 0.5:
        more["pads"] = [int(random.integers(0, size)) for size in kernel] * 2
    if operator == "AveragePool":
        more["count_include_pad"] = int(random.integers(0, 2))
    if operator != "LpPool" and random.random() < 0.3:
        more["dilations"] = random.integers(1, 3, axes).tolist()
    if operator == "AveragePool" and random.random() < 0.8:
        more.pop("dilations", None)  # newer than opset 19: such a node cannot be lowered
    shape = [2, 3, *(int(size) for size in random.integers(20, 28, axes))]
    node = helper.make_node(operator, ["x"], ["y"], kernel_shape=kernel, **more)
    value = helper.make_tensor_value_info
    ends = [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, None)]
    imports = [helper.make_opsetid("", 22)]
    model = helper.make_model(
        helper.make_graph([node], "pooling", *ends), opset_imports=imports, ir_version=10
    )
    return model, [random.standard_normal(shape).astype(np.float32)]


def compare(model: onnx.ModelProto, inputs: list[NDArray[np.generic]], rows: Rows) -> None:
    """The model beside itself at every older opset, in every type."""
    for kind in TYPES:
        typed = model if kind == TensorProto.FLOAT else retyped(model, kind)
        for target in TARGETS:
            if typed is None or target >= (default_opset(typed) or 0):
                continue
            try:
                lowered = lower_opset(typed, target)
                if len(lowered.nodes) == 1:  # of more, whose difference it is would be unknown
                    run_both(typed, lowered, kind, inputs, rows)
            except (LocoExportError, CannotRunError):
                continue


def run_both(
    model: onnx.ModelProto,
    lowered: LoweredOpset,
    kind: int,
    inputs: list[NDArray[np.generic]],
    rows: Rows,
) -> None:
    """Both on the model's inputs and on random ones."""
    sides = [
        on_onnxruntime(side.SerializeToString(), optimised=False) for side in (model, lowered.model)
    ]
    node = lowered.nodes[0]
    name = TensorProto.DataType.Name(kind).lower()
    row = rows[(node.before.op_type, node.version_before, node.version_after, name)]
    random = np.random.default_rng(0)
    for spread in (None, *SPREADS):
        given = [
            (value if spread is None else random.standard_normal(value.shape) * spread).astype(
                TYPES[kind]
            )
            if value.dtype == np.float32
            else value
            for value in inputs
        ]
        expected, found = (side(given) for side in sides)
        apart = worst_difference(expected, found)
        row.runs += 1
        row.apart += apart > 0
        row.worst = max(row.worst, apart)
        if apart:
            largest = max(float(np.abs(np.asarray(one, np.float64)).max()) for one in expected)
            row.relative = max(row.relative, apart / largest)


def retyped(model: onnx.ModelProto, kind: int) -> onnx.ModelProto | None:
    """The model in another float type; None where it has no float32 input."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    found = False
    for value in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = kind
            found = True
    return copy if found else None


if __name__ == "__main__":
    main()
