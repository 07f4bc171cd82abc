"""Write locoexport/inspection/kernels/*.toml, the tables that ``inspect`` forecasts from.

    python benchmarks/update_kernels.py --ask cpu cuda webgpu openvino
    python benchmarks/update_kernels.py --operator-kernels OperatorKernels.md URL
    python benchmarks/update_kernels.py --coreml coreml_supported_mlprogram_ops.md URL
    python benchmarks/update_kernels.py --tensorrt operators.md URL

A provider that is here is asked itself; of the others, what they publish is read from local copies
(``URL`` is where the copy is from, and is written beside the rows). Only the tables named are
written. Nothing is downloaded.

- ``cpu``, ``cuda``: the registry of kernels of the ONNX Runtime that this Python imports. That of
  CUDA is only told where CUDA's and TensorRT's libraries can be loaded.
- ``webgpu``: the registry of the plugin ``onnxruntime-ep-webgpu`` (``pip install`` it beside
  ``onnxruntime``). It is told where Vulkan has a device; SwiftShader, which is software, will do.
- ``openvino``: each node test of the ONNX standard is compiled for its CPU, at every version of the
  operator at which the test's model is valid.
- ``OperatorKernels.md``: docs/ of microsoft/onnxruntime, for DirectML.
- ``coreml_supported_mlprogram_ops.md``: tools/ci_build/github/apple/ of microsoft/onnxruntime.
- ``operators.md``: docs/ of onnx/onnx-tensorrt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asked_kernels import ask_cpu, ask_cuda, ask_openvino, ask_webgpu
from kernel_rows import written
from published_kernels import read_coreml, read_operator_kernels, read_tensorrt

TABLES = Path(__file__).resolve().parents[1] / "locoexport" / "inspection" / "kernels"
ASKED = {"cpu": ask_cpu, "cuda": ask_cuda, "webgpu": ask_webgpu, "openvino": ask_openvino}
READ = {
    "operator_kernels": read_operator_kernels,
    "coreml": read_coreml,
    "tensorrt": read_tensorrt,
}


def main() -> None:
    """Write every table that was asked for."""
    arguments = parse_arguments()
    tables = [ASKED[name]() for name in arguments.ask]
    for name, read in READ.items():
        if copy := getattr(arguments, name):
            tables.append(read(Path(copy[0]).read_text(encoding="utf-8"), copy[1]))
    for table in tables:
        path = arguments.into / f"{table.provider}.toml"
        path.write_text(written(table), encoding="utf-8")
        print(f"{path}: {len({kernel.operator for kernel in table.kernels})} operators")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ask", nargs="+", choices=ASKED, default=[], metavar="PROVIDER")
    for name in READ:
        parser.add_argument(f"--{name.replace('_', '-')}", nargs=2, metavar=("FILE", "URL"))
    parser.add_argument("--into", type=Path, default=TABLES, help="a folder to write to instead")
    arguments = parser.parse_args()
    if not arguments.ask and not any(getattr(arguments, name) for name in READ):
        parser.error("name a provider to ask or a table to read")
    return arguments


if __name__ == "__main__":
    main()
