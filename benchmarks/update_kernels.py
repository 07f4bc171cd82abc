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
import datetime
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TABLES = Path(__file__).resolve().parents[1] / "locoexport" / "inspection" / "kernels"
FULL_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
DOMAINS = ("", "com.microsoft", "ai.onnx.ml")
"""Others in the registries are made by ONNX Runtime itself, and are in no file."""
NAMES_OF_TYPES = {"float": "float32", "double": "float64"}
LISTED_TYPES = {
    **{"FP32": ("float32", "float64"), "FP16": ("float16",), "BF16": ("bfloat16",)},
    **{"INT32": ("int32",), "INT64": ("int64",), "INT8": ("int8",), "UINT8": ("uint8",)},
    **{"INT4": ("int4",), "BOOL": ("bool",), "FP8": ("float8e4m3fn",), "FP4": ("float4e2m1",)},
}
"""TensorRT's names. It reads float64 as float32 ("limited support for DOUBLE")."""
WITH_BODIES = ("If", "Loop", "Scan")
UNBOUNDED = 2**31 - 1
LONGEST_INLINE = 3
"""So many types are written out in a row; a longer set gets a name."""


@dataclass(frozen=True)
class Registered:
    """A kernel as a source states it."""

    operator: str
    versions: str
    types: frozenset[tuple[str, frozenset[str]]] = frozenset()


@dataclass
class Table:
    """What becomes one file."""

    provider: str
    source: str
    version: str
    complete: bool
    kernels: list[Registered]
    refused: list[str] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)
    newest_opset: int | None = None


def main() -> None:
    """Write every table that was asked for."""
    arguments = parse_arguments()
    tables = [ASKED[name]() for name in arguments.ask]
    for name, read in READ.items():
        if copy := getattr(arguments, name):
            tables.append(read(Path(copy[0]).read_text(encoding="utf-8"), copy[1]))
    for table in tables:
        path = TABLES / f"{table.provider}.toml"
        path.write_text(written(table), encoding="utf-8")
        print(f"{path}: {len({k.operator for k in table.kernels})} operators")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ask", nargs="+", choices=ASKED, default=[], metavar="PROVIDER")
    for name in READ:
        parser.add_argument(f"--{name.replace('_', '-')}", nargs=2, metavar=("FILE", "URL"))
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        ANSWERS[arguments.answer]()
        sys.exit()
    if not arguments.ask and not any(getattr(arguments, name) for name in READ):
        parser.error("name a provider to ask or a table to read")
    return arguments


# ONNX Runtime, asked


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
    command = [sys.executable, __file__, "--answer", name]
    child = subprocess.run(command, capture_output=True, text=True)
    if child.returncode:
        sys.exit(f"{name} could not be asked (exit {child.returncode}):\n{child.stderr[-2000:]}")
    return json.loads(child.stdout.splitlines()[-1])


def registry_table(
    provider: str, answer: Mapping[str, object], rows: Iterable[Mapping[str, object]], call: str
) -> Table:
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


def type_name(written: str) -> str:
    """``tensor(float)`` → ``float32``."""
    inner = written.removeprefix("tensor(").removesuffix(")")
    return NAMES_OF_TYPES.get(inner, inner)


def qualified(domain: str, operator: str) -> str:
    """An operator's name, with its domain where that is not the standard's."""
    return operator if domain in ("", "ai.onnx") else f"{domain}::{operator}"


# What the providers publish


def read_operator_kernels(text: str, url: str) -> Table:
    """DirectML's part of OperatorKernels.md."""
    _, _, section = text.partition("## Operators implemented by DmlExecutionProvider")
    kernels, domain, operator = [], "", ""
    for line in section.splitlines():
        cells = line.split("|")
        if "**Operator Domain:**" in line:
            domain = re.search(r"\*([\w.]+)\*\|", line).group(1)
        elif len(cells) == 6 and re.match(r"\d|\[", cells[3]):
            operator = cells[1] or operator
            versions = re.sub(r"\[(\d+), (\d+)\]", r"\1-\2", cells[3])
            types = frozenset(
                (name, frozenset(map(type_name, re.findall(r"tensor\((?:\w+)\)", listed))))
                for name, listed in re.findall(r"\*\*(\w+)\*\* = ([^<]*)", cells[4])
                if "tensor(" in listed and "seq(" not in listed
            )
            kernels.append(Registered(qualified(domain, operator), versions, types))
    return Table("dml", f"{url} (DmlExecutionProvider)", dated(url), True, kernels)


def read_coreml(text: str, url: str) -> Table:
    """The operators of Core ML's ML programs. The list has lagged behind the provider."""
    kernels, remarks = [], {}
    for domain, operator, remark in re.findall(r"^\|([\w.]+):(\w+)\|(.*)\|$", text, re.MULTILINE):
        name = qualified(domain, standard_name(operator) if domain == "ai.onnx" else operator)
        kernels.append(Registered(name, "*"))
        if remark:
            remarks[name] = plain(remark)
    return Table("coreml", f"{url} (ML programs)", dated(url), False, kernels, [], remarks)


def read_tensorrt(text: str, url: str) -> Table:
    """The support matrix of TensorRT's ONNX parser."""
    version, newest = re.search(
        r"(TensorRT [\d.]+\d) supports operators .*? to opset (\d+)", text, re.IGNORECASE
    ).groups()
    kernels, refused, remarks = [], [], {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:]]
        if len(cells) < 3 or cells[1] not in ("Y", "N"):
            continue
        operator, supported, listed = cells[:3]
        if supported == "N":
            refused.append(operator)
            continue
        names = [name for name in re.split(r"[,\s]+", listed) if name]
        types = frozenset(kind for name in names for kind in LISTED_TYPES[name])
        stated = frozenset({("0", types)} if operator not in WITH_BODIES else ())
        kernels.append(Registered(operator, "*", stated))
        if len(cells) > 3 and cells[3]:
            remarks[operator] = plain(cells[3])
    return Table(
        "tensorrt", url, version, False, kernels, refused, remarks, newest_opset=int(newest)
    )


def standard_name(written: str) -> str:
    """The operator's name as the standard spells it (the list has ``Argmax``)."""
    import onnx

    names = {schema.name.lower(): schema.name for schema in onnx.defs.get_all_schemas()}
    return names.get(written.lower(), written)


def plain(markdown: str) -> str:
    """A remark without its markup."""
    return " ".join(re.sub(r"<br ?/?>", " ", markdown).replace("`", "").split())


def dated(url: str) -> str:
    """The commit that a copy is of, as its address says it."""
    found = re.search(r"/blob/([\w.\-/]+?)/", url)
    return f"commit {found.group(1)[:12]}" if found else url


# OpenVINO, asked


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
        command = [sys.executable, __file__, "--answer", f"openvino:{start}"]
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
        for since, later in zip(history, [*history[1:], onnx.defs.onnx_opset_version() + 1]):
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
    for value, array in list(zip(model.graph.input, values))[1:]:
        if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
            constant.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    named = {tensor.name for tensor in constant.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in named]
    del constant.graph.input[:]
    constant.graph.input.extend(kept)
    return constant.SerializeToString()


# Writing


def written(table: Table) -> str:
    """The table as TOML."""
    rows = {name: merged(kernels) for name, kernels in by_operator(table.kernels).items()}
    sets = named_sets(rows.values())
    lines = [
        "# Written by benchmarks/update_kernels.py: run it again instead of editing this.",
        f"source = {quoted(table.source)}",
        f"version = {quoted(table.version)}",
        f"read = {datetime.datetime.now(datetime.UTC).date()}",
        f"complete = {str(table.complete).lower()}",
    ]
    if table.newest_opset is not None:
        lines.append(f"newest_opset = {table.newest_opset}")
    if table.refused:
        lines += ["refused = [", *wrapped(sorted(table.refused)), "]"]
    if sets:
        lines += ["", "[types]", *(f'{name} = "{" ".join(sorted(t))}"' for t, name in sets.items())]
    lines += ["", "[operators]"]
    for name in sorted(rows, key=lambda name: ("::" in name, name)):
        listed = [quoted(row_text(versions, types, sets)) for versions, types in rows[name]]
        short = f"{key(name)} = [{', '.join(listed)}]"
        if len(short) <= 120 or len(listed) == 1:
            lines.append(short)
        else:
            lines += [f"{key(name)} = [", *(f"    {text}," for text in listed), "]"]
    if table.remarks:
        lines += ["", "[remarks]"]
        lines += [f"{key(name)} = {quoted(text)}" for name, text in sorted(table.remarks.items())]
    return "\n".join(lines) + "\n"


Types = frozenset[tuple[str, frozenset[str]]]


def by_operator(kernels: Iterable[Registered]) -> dict[str, set[tuple[str, Types]]]:
    """Kernels without repetitions."""
    found: dict[str, set[tuple[str, Types]]] = {}
    for kernel in kernels:
        found.setdefault(kernel.operator, set()).add((kernel.versions, kernel.types))
    return found


def merged(kernels: set[tuple[str, Types]]) -> list[tuple[tuple[str, ...], Types]]:
    """The same kernels in fewer rows: what differs in one set of types or in versions is one."""
    by_versions: dict[str, list[dict[str, frozenset[str]]]] = {}
    for versions, types in sorted(
        kernels, key=lambda row: (row[0], sorted(map(sorted_types, row[1])))
    ):
        by_versions.setdefault(versions, []).append(dict(types))
    by_types: dict[Types, list[str]] = {}
    for versions, alternatives in by_versions.items():
        for types in united(alternatives):
            by_types.setdefault(frozenset(types.items()), []).append(versions)
    rows = [(tuple(sorted(spans, key=first_version)), types) for types, spans in by_types.items()]
    return sorted(
        rows, key=lambda row: (first_version(row[0][0]), sorted(map(sorted_types, row[1])))
    )


def united(alternatives: list[dict[str, frozenset[str]]]) -> list[dict[str, frozenset[str]]]:
    """Alternatives that differ in one constraint are one, with the types of both."""
    for index, one in enumerate(alternatives):
        for other in alternatives[index + 1 :]:
            differing = [name for name in one if one[name] != other.get(name)]
            if set(one) == set(other) and len(differing) <= 1:
                union = {name: one[name] | other[name] for name in one}
                rest = [kept for kept in alternatives if kept is not one and kept is not other]
                return united([union, *rest])
    return alternatives


def sorted_types(constraint: tuple[str, frozenset[str]]) -> tuple[str, list[str]]:
    return constraint[0], sorted(constraint[1])


def first_version(written: str) -> int:
    return 0 if written == "*" else int(re.match(r"\d+", written).group())


def named_sets(
    rows: Iterable[Sequence[tuple[tuple[str, ...], Types]]],
) -> dict[frozenset[str], str]:
    """A name for each long set of types: how many there are, and a letter."""
    found = {
        types
        for row in rows
        for _, stated in row
        for _, types in stated
        if len(types) > LONGEST_INLINE
    }
    names: dict[frozenset[str], str] = {}
    seen: Counter[int] = Counter()
    for types in sorted(found, key=lambda types: (len(types), sorted(types))):
        seen[len(types)] += 1
        names[types] = f"of{len(types)}{letter(seen[len(types)])}"
    return names


def letter(number: int) -> str:
    """1 → a, 27 → aa."""
    first, last = divmod(number - 1, 26)
    return (chr(96 + first) if first else "") + chr(97 + last)


def row_text(versions: Sequence[str], types: Types, sets: Mapping[frozenset[str], str]) -> str:
    stated = [
        f"{name}={'@' + sets[kinds] if kinds in sets else '|'.join(sorted(kinds))}"
        for name, kinds in sorted(types, key=sorted_types)
    ]
    return " ".join([*versions, *stated])


def wrapped(names: Sequence[str], width: int = 100) -> Iterator[str]:
    """Lines of a list of names."""
    line = "   "
    for name in names:
        if len(line) + len(name) + 4 > width:
            yield line
            line = "   "
        line += f" {quoted(name)},"
    yield line


def key(name: str) -> str:
    return quoted(name) if ":" in name or "." in name else name


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


ASKED = {"cpu": ask_cpu, "cuda": ask_cuda, "webgpu": ask_webgpu, "openvino": ask_openvino}
READ = {
    "operator_kernels": read_operator_kernels,
    "coreml": read_coreml,
    "tensorrt": read_tensorrt,
}


class Answers(dict):
    """What a child is asked: ``openvino:17`` goes on with the 17th trial."""

    def __missing__(self, name: str) -> object:
        return lambda: answer_openvino(int(name.removeprefix("openvino:")))


ANSWERS = Answers(registry=answer_registry, webgpu=answer_webgpu)

if __name__ == "__main__":
    main()
