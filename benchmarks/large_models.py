"""``locoexport rewrite`` of a model over 2 GB, for real: time, peak memory, and the result in ORT.

    python benchmarks/large_models.py [--gigabytes 3.2] [--folder /tmp] [--keep]

Makes a model of that size (random weights in one file beside it, a volumetric GridSample before
them and an opset-20 Gelu after), rewrites it by the command line to opset 17, beside the input and
into another folder, and runs original and results in ONNX Runtime on the same inputs. Needs twice
the size on the disk, and the size in memory to run it. Seconds depend on the disk.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from locoexport.machine.writing.output_files import sha256_of

SHAPES = {"volume": (1, 4, 8, 16, 12), "grid": (1, 8, 8, 8, 3)}
FEATURES = 4 * 8 * 8 * 8
WIDTH = 16384
CHUNK_ROWS = 1024


def main() -> None:
    """Make, rewrite twice, run, compare, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run)
        return
    folder = Path(tempfile.mkdtemp(prefix="large-", dir=options.folder))
    try:
        measure(folder, options.gigabytes)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def measure(folder: Path, gigabytes: float) -> None:
    """The whole of it, in ``folder``."""
    source = folder / "in.onnx"
    make(source, gigabytes)
    data = source.with_suffix(".data")
    print(f"{data.stat().st_size / 1e9:.2f} GB of weights, {source.stat().st_size} bytes of model")
    before = sha256_of(data)
    (folder / "elsewhere").mkdir()
    outputs = (folder / "out.onnx", folder / "elsewhere" / "out.onnx")
    for output in outputs:
        seconds, peak = timed(
            [sys.executable, "-m", "locoexport", "rewrite", source, "-o", output, "--opset", "17"]
        )
        place = "beside the input" if output.parent == folder else "into another folder"
        print(f"rewrite {place}: {seconds:.1f} s, peak {peak / 1e9:.2f} GB resident")
    assert sha256_of(data) == before, "the input's weights changed"
    assert sha256_of(outputs[1].with_name("in.data")) == before, "the copied weights differ"
    for model in (source, *outputs):
        seconds, peak = timed([sys.executable, __file__, "--run", model])
        print(f"run {model.name} in {model.parent.name}: {seconds:.1f} s, peak {peak / 1e9:.2f} GB")
    expected = np.load(source.with_suffix(".npy"))
    for output in outputs:
        error = np.abs(np.load(output.with_suffix(".npy")) - expected).max()
        print(f"worst error: {error:.2e} of {np.abs(expected).max():.2f}")


def make(path: Path, gigabytes: float) -> None:
    """GridSample → MatMul → Gelu → MatMul, with as many blocks as it takes."""
    rows = [FEATURES]
    while sum(rows) * WIDTH * 4 < gigabytes * 1e9:
        rows.append(WIDTH)
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("GridSample", ["volume", "grid"], ["s"], mode="linear", name="sample"),
        helper.make_node("Flatten", ["s"], ["h0"]),
    ]
    weights, offset = [], 0
    for index, length in enumerate(rows):
        nodes.append(helper.make_node("MatMul", [f"h{index}", f"w{index}"], [f"m{index}"]))
        nodes.append(helper.make_node("Gelu", [f"m{index}"], [f"h{index + 1}"]))
        weights.append(external(f"w{index}", (length, WIDTH), path.with_suffix(".data"), offset))
        offset += length * WIDTH * 4
    graph = helper.make_graph(
        nodes,
        "large",
        [value(name, TensorProto.FLOAT, shape) for name, shape in SHAPES.items()],
        [value(f"h{len(rows)}", TensorProto.FLOAT, [1, WIDTH])],
        initializer=weights,
    )
    random = np.random.default_rng(0)
    with open(path.with_suffix(".data"), "wb") as file:
        for length in rows:
            for _ in range(0, length, CHUNK_ROWS):
                block = random.standard_normal((CHUNK_ROWS, WIDTH), dtype=np.float32)
                file.write((block / np.float32(length**0.5)).tobytes())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())


def external(name: str, shape: tuple[int, ...], data: Path, offset: int) -> onnx.TensorProto:
    """A float tensor whose bytes lie in ``data``."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    length = 4 * shape[0] * shape[1]
    for key, value in (("location", data.name), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def run(model: Path) -> None:
    """Run a model on the same inputs; its output goes beside it."""
    import onnxruntime

    random = np.random.default_rng(1)
    given = {
        "volume": random.standard_normal(SHAPES["volume"], dtype=np.float32),
        "grid": random.uniform(-1.3, 1.3, SHAPES["grid"]).astype(np.float32),
    }
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_prepacking", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    np.save(model.with_suffix(".npy"), session.run(None, given)[0])


def timed(command: list[object]) -> tuple[float, int]:
    """Seconds and peak resident bytes of a process of its own."""
    code = (
        "import resource, subprocess, sys\n"
        "ended = subprocess.run(sys.argv[1:], stdout=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(ended.returncode)\n"
    )
    started = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return time.perf_counter() - started, int(found.stdout) * 1024


if __name__ == "__main__":
    main()
