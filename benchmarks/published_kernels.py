"""Tables of kernels that providers publish: read from local copies."""

from __future__ import annotations

import re

from kernel_rows import Registered, Table, qualified, type_name

LISTED_TYPES = {
    "FP32": ("float32", "float64"),
    "FP16": ("float16",),
    "BF16": ("bfloat16",),
    "INT64": ("int64",),
    "INT32": ("int32",),
    "INT8": ("int8",),
    "UINT8": ("uint8",),
    "INT4": ("int4",),
    "BOOL": ("bool",),
    "FP8": ("float8e4m3fn",),
    "FP4": ("float4e2m1",),
}
"""TensorRT's names. It reads float64 as float32 ("limited support for DOUBLE")."""
WITH_BODIES = ("If", "Loop", "Scan")


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
