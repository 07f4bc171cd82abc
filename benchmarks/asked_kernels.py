"""Providers that are here, asked for their kernels: each in a child, which it may crash."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kernel_rows import Registered, Table, qualified, type_name

FULL_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
DOMAINS = ("", "com.microsoft", "ai.onnx.ml")
"""Others in the registries are made by ONNX Runtime itself, and are in no file."""
UNBOUNDED = 2**31 - 1


def ask_cpu() -> Table:
    """ONNX Runtime's own CPU provider."""
    return ask_registry("cpu")


def ask_cuda() -> Table:
    """ONNX Runtime's CUDA provider."""
    return ask_registry("cuda")


def ask_registry(provider: str) -> Table:
    """The kernels that ONNX Runtime registers, from a child that a missing library may crash."""
    answer = answer_of("registry")
    kernels = [row for row in answer["kernels"] if row["provider"] == FULL_NAMES[provider]]
    if not kernels:
        sys.exit(f"This ONNX Runtime has no {FULL_NAMES[provider]}.")
    return registry_table(provider, answer, kernels, "get_all_opkernel_def()")


def ask_webgpu() -> Table:
    """The WebGPU plugin of ONNX Runtime."""
    answer = answer_of("webgpu")
    return registry_table("webgpu", answer, answer["kernels"], "get_registered_ep_kernel_defs()")


def answer_of(name: str) -> dict[str, object]:
    """What a child of this script prints as JSON on its last line."""
    command = [sys.executable, __file__, name]
    child = subprocess.run(command, capture_output=True, text=True)
    if child.returncode:
        sys.exit(f"{name} could not be asked (exit {child.returncode}):\n{child.stderr[-2000:]}")
    return json.loads(child.stdout.splitlines()[-1])


def registry_table(
    provider: str, answer: Mapping[str, object], rows: Iterable[Mapping[str, object]], call: str
) -> Table:
    """Every kernel of the domains that a file may name."""
    kernels = []
    for row in rows:
        if row["domain"] not in DOMAINS or row["operator"].startswith("Memcpy"):
            continue
        first, last = row["versions"]
        types = frozenset(
            (name, frozenset(map(type_name, tensors)))
            for name, types in row["types"].items()
            if (tensors := [kind for kind in types if kind.startswith("tensor(")])
        )
        kernels.append(
            Registered(qualified(row["domain"], row["operator"]), span(first, last), types)
        )
    source = f"asked itself: {call} of {answer['package']} {answer['version']}"
    return Table(provider, source, f"{answer['package']} {answer['version']}", True, kernels)


def answer_registry() -> None:
    """Print every kernel of the ONNX Runtime that is installed."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    package = "onnxruntime-gpu" if is_installed("onnxruntime-gpu") else "onnxruntime"
    print_kernels(package, onnxruntime.__version__, state.get_all_opkernel_def())


def answer_webgpu() -> None:
    """Print every kernel of the WebGPU plugin that is installed."""
    import importlib.metadata

    import onnxruntime
    import onnxruntime_ep_webgpu as plugin
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    onnxruntime.register_execution_provider_library("webgpu", plugin.get_library_path())
    kernels = state.get_registered_ep_kernel_defs(plugin.get_ep_name())
    version = importlib.metadata.version("onnxruntime-ep-webgpu")
    print_kernels("onnxruntime-ep-webgpu", version, kernels)


def is_installed(package: str) -> bool:
    """Whether a distribution of that name is installed."""
    import importlib.metadata

    return any(found.metadata["Name"] == package for found in importlib.metadata.distributions())


def print_kernels(package: str, version: str, kernels: Iterable[object]) -> None:
    """One line of JSON."""
    rows = [
        {
            "provider": kernel.provider,
            "domain": kernel.domain,
            "operator": kernel.op_name,
            "versions": kernel.version_range,
            "types": kernel.type_constraints,
        }
        for kernel in kernels
    ]
    print(json.dumps({"package": package, "version": version, "kernels": rows}))


def span(first: int, last: int) -> str:
    """Versions as OperatorKernels.md writes them."""
    if last == UNBOUNDED:
        return f"{first}+"
    return str(first) if first == last else f"{first}-{last}"


def ask_openvino() -> Table:
    """Every node test compiled; an operator is refused where each test of it is not known."""
    trials = list(run_trials())
    version = next(iter(trials))["openvino"]
    by_version: dict[tuple[str, int], Counter[str]] = {}
    for trial in trials:
        key = (trial["operator"], trial["version"])
        by_version.setdefault(key, Counter())[trial["outcome"]] += 1
    kernels, remarks = [], {}
    for (operator, since), outcomes in sorted(by_version.items()):
        if outcomes["compiled"] or outcomes["constants"]:
            kernels.append(Registered(operator, str(since)))
            if not outcomes["compiled"]:
                remarks[operator] = "compiled only with constants for its inputs after the first"
    known = {kernel.operator for kernel in kernels}
    refused = sorted(
        operator
        for operator in {name for name, _ in by_version} - known
        if all(
            set(outcomes) == {"unknown operator"}
            for (name, _), outcomes in by_version.items()
            if name == operator
        )
    )
    source = f"asked itself: the ONNX standard's node tests compiled on OpenVINO {version}'s CPU"
    return Table("openvino", source, f"OpenVINO {version}", False, kernels, refused, remarks)


def run_trials() -> Iterator[dict[str, object]]:
    """The lines of a child, which is started again after the trial that it died of."""
    start = 0
    while True:
        command = [sys.executable, __file__, f"openvino:{start}"]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        )
        begun = None
        for line in child.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                begun = told if told["outcome"] == "begun" else None
                if begun is None:
                    yield told
        if child.wait() == 0:
            return
        if begun is None:
            sys.exit("OpenVINO could not be asked: is it installed beside onnx?")
        start = begun["index"] + 1
        yield begun | {"outcome": "crashed"}


def answer_openvino(start: int) -> None:
    """Print the outcome of every trial from ``start`` on, a line each."""
    import warnings

    warnings.simplefilter("ignore")
    import openvino

    core = openvino.Core()
    for index, (operator, version, models) in enumerate(node_trials()):
        if index < start:
            continue
        row = {"index": index, "operator": operator, "version": version}
        row["openvino"] = openvino.__version__.split("-")[0]
        print(json.dumps(row | {"outcome": "begun"}), flush=True)
        print(json.dumps(row | {"outcome": outcome_of(core, operator, models)}), flush=True)


def outcome_of(core: object, operator: str, models: Sequence[bytes]) -> str:
    """Of a node with every input fed, else with those after the first as constants."""
    for kind, model in zip(("compiled", "constants"), models, strict=True):
        try:
            core.compile_model(core.read_model(model), "CPU")
            return kind
        except Exception as error:
            said = str(error)
    missing = re.search(r"No conversion rule found for operations: ([^\n]*)", said)
    named = re.findall(r"(\w+)-\d+", missing.group(1)) if missing else []
    return "unknown operator" if operator in named else "failed"


def node_trials() -> Iterator[tuple[str, int, tuple[bytes, bytes]]]:
    """Operator, its version and two models, for each node test at each version it is valid at."""
    import onnx
    from onnx.backend.test.case.node import collect_testcases

    histories: dict[str, list[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            histories.setdefault(schema.name, []).append(schema.since_version)
    for case in collect_testcases(None):
        graph = case.model.graph
        if len(graph.node) != 1 or graph.node[0].domain or case.model.functions:
            continue
        history = sorted(histories.get(graph.node[0].op_type, ()))
        for since, later in zip(
            history, [*history[1:], onnx.defs.onnx_opset_version() + 1], strict=True
        ):
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            del model.opset_import[:]
            model.opset_import.add(domain="", version=later - 1)
            try:
                onnx.checker.check_model(model, full_check=True)
            except Exception:
                continue
            values = case.data_sets[0][0] if case.data_sets else ()
            yield graph.node[0].op_type, since, (model.SerializeToString(), frozen(model, values))


def frozen(model: object, values: Sequence[object]) -> bytes:
    """The model with every input after the first made a constant of its test's value."""
    import numpy as np
    import onnx

    constant = onnx.ModelProto()
    constant.CopyFrom(model)
    for value, array in list(zip(model.graph.input, values, strict=False))[1:]:
        if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
            constant.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    named = {tensor.name for tensor in constant.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in named]
    del constant.graph.input[:]
    constant.graph.input.extend(kept)
    return constant.SerializeToString()


def answer(name: str) -> None:
    """What a child is for: ``openvino:17`` goes on with the 17th trial."""
    if name.startswith("openvino:"):
        answer_openvino(int(name.removeprefix("openvino:")))
    else:
        {"registry": answer_registry, "webgpu": answer_webgpu}[name]()


if __name__ == "__main__":
    answer(sys.argv[1])
