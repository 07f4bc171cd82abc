"""How long ``rewrite --opset 17`` takes for a model of thousands of nodes, in CPU seconds.

    python benchmarks/rewrite_speed.py [--blocks 208] [--json FILE]
    python benchmarks/rewrite_speed.py --model FILE     # another model, such as an export of yours

The model is the worst kind for the proofs: 31 kinds of operators at opset 23, an open batch, and
widths that differ from block to block, so that hardly two nodes are equal. Its 8 737 nodes are made
of ``--blocks`` blocks of 42. The seconds are those of this process and its children on one
core (user and system time), which other processes on the machine change little; the clock's are
printed beside them.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import locoexport  # noqa: F401 - it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from quiet_machine import require_quiet

from locoexport.graphs.walking import iterate_nodes
from locoexport.machine.hardware import CpuWatch, measure_load
from locoexport.pipeline.rewrite import rewrite_file

OPSET, TARGET = 23, 17
SIDE = 12


def main() -> None:
    """Build the model, rewrite it and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=208)
    parser.add_argument("--model", type=Path, help="this file in place of the model built here")
    parser.add_argument("--json", type=Path, help="keep the figures of a quiet machine here")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = measure_load().busy_share
    watch = CpuWatch()
    with tempfile.TemporaryDirectory() as folder:
        source = options.model or Path(folder) / "model.onnx"
        if options.model is None:
            onnx.save(build_model(options.blocks), source)
        figures = measure(source, Path(folder) / "rewritten.onnx")
    for key, value in figures.items():
        print(f"{key:16} {value}", flush=True)
    if options.json:
        shares = {"before": before, "meanwhile": watch.share_of_others()}
        require_quiet(shares, figures, "rewrite_speed")
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(source: Path, output: Path) -> dict[str, object]:
    """``rewrite_file`` once: its CPU seconds, and how its proofs ended."""
    model = onnx.load(source, load_external_data=False)
    kinds = collections.Counter(node.op_type for node in iterate_nodes(model))
    start, started = cpu_seconds(), time.perf_counter()
    report = rewrite_file(source, output, opset=TARGET, force=True)
    return {
        "nodes": sum(kinds.values()),
        "kinds": len(kinds),
        "cpu_seconds": round(cpu_seconds() - start, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "rows": len(report.rewritten),
        "not_proven": len(report.unproven),
        "values_compared": sum(row.proof.points for row in report.rewritten if row.proof),
        "python": sys.version.split()[0],
    }


def cpu_seconds() -> float:
    """User and system time of this process and of its children that ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class _Graph:
    """Nodes and initializers, each value named anew."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.stated: list[onnx.ValueInfoProto] = []
        self._random = np.random.default_rng(0)

    def op(self, op_type: str, *inputs: str, **attributes: object) -> str:
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(self, op_type: str, count: int, *inputs: str, **attributes: object) -> list[str]:
        names = [f"v{len(self.nodes)}_{index}" for index in range(count)]
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=name, **attributes))
        return names

    def state(self, name: str, shape: list[str | int]) -> None:
        """As exporters do: onnx infers nothing through GroupNormalization."""
        self.stated.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def weight(self, *shape: int) -> str:
        return self._constant(self._random.standard_normal(shape).astype(np.float32) * 0.1)

    def integers(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def scales(self, factor: float) -> str:
        return self._constant(np.array([1, 1, factor, factor], np.float32))

    def _constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name


def build_model(blocks: int) -> onnx.ModelProto:
    """Convolutions, attention and shape arithmetic, ``blocks`` times over; 4 channels between."""
    graph = _Graph()
    value = "x"
    for block in range(blocks):
        value = _add_block(graph, value, 8 * (block % 8 + 1), 6 + block // 8)
    shape = ["batch", 4, SIDE, SIDE]
    body = helper.make_graph(
        [*graph.nodes, helper.make_node("Identity", [value], ["y"], name="last")],
        "blocks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        graph.initializers,
        value_info=graph.stated,
    )
    imports = [helper.make_opsetid("", OPSET)]
    return helper.make_model(body, opset_imports=imports, ir_version=10)


def _add_block(graph: _Graph, x: str, width: int, side: int) -> str:
    """42 nodes: (batch, 4, 12, 12) in and out, ``width`` channels at ``side`` inside."""
    op, integers = graph.op, graph.integers
    hidden = op("Conv", x, graph.weight(width, 4, 3, 3), graph.weight(width), pads=[1, 1, 1, 1])
    hidden = op(
        "GroupNormalization", hidden, graph.weight(width), graph.weight(width), num_groups=4
    )
    graph.state(hidden, ["batch", width, SIDE, SIDE])
    hidden = op("Gelu", hidden, approximate="tanh" if width % 16 else "none")
    hidden = _resized(graph, hidden, side / SIDE, "nearest")
    grid = op("ConstantOfShape", integers(1, side, side, 2))
    count = op("Gather", op("Shape", x), integers(0), axis=0)
    grid = op("Expand", grid, op("Concat", count, integers(side, side, 2), axis=0))
    hidden = _resized(graph, hidden, SIDE / side, "linear")
    sampled = op("GridSample", hidden, grid, mode="linear", padding_mode="border")
    pooled = op("MaxPool", sampled, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    padded = op("Pad", pooled, integers(0, 0, 1, 1, 0, 0, 1, 1))
    pooled = op("AveragePool", padded, kernel_shape=[3, 3])
    tokens = op("Transpose", op("Flatten", pooled, axis=1), perm=[1, 0])
    tokens = op("Reshape", op("Transpose", tokens, perm=[1, 0]), integers(-1, width, side * side))
    tokens = op("Transpose", tokens, perm=[0, 2, 1])
    normal = op("LayerNormalization", tokens, graph.weight(width), graph.weight(width))
    both = op("MatMul", normal, graph.weight(width, 2 * width))
    query, key = graph.ops("Split", 2, both, axis=-1, num_outputs=2)
    scores = op("MatMul", query, op("Transpose", key, perm=[0, 2, 1]))
    mask = op("Equal", op("Cast", op("Relu", scores), to=TensorProto.INT32), _zero(graph))
    scores = op("Where", mask, scores, op("Identity", scores))
    mixed = op("MatMul", op("Softmax", scores, axis=-1), op("Sigmoid", tokens))
    mean = op("ReduceMean", mixed, integers(2))
    mixed = op("Mul", mixed, mean)
    image = op("Reshape", op("Transpose", mixed, perm=[0, 2, 1]), integers(-1, width, side, side))
    extra = op("Squeeze", op("Unsqueeze", image, integers(0)), integers(0))
    image = _resized(graph, extra, SIDE / side, "nearest")
    return op("Add", x, op("Conv", image, graph.weight(4, width, 1, 1)))


def _resized(graph: _Graph, value: str, factor: float, mode: str) -> str:
    # A little more, so that the length is not rounded down.
    return graph.op("Resize", value, "", graph.scales(factor * 1.0001), mode=mode)


def _zero(graph: _Graph) -> str:
    return graph.op("Cast", graph.integers(0), to=TensorProto.INT32)


if __name__ == "__main__":
    main()
