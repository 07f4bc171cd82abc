"""What providers have kernels for, as their own tables say: ``kernels/PROVIDER.toml``.

Each file is written by ``benchmarks/update_kernels.py`` and says where all of its rows are from, of
which version and when they were read. ``kernels/additions.toml`` is kept by hand, for what no table
has: ranks, later releases, remarks, each with its source.

A row is ``Operator = ["6-12 13+ T=float32|float16"]``: versions, then the element types of each
constraint. A version is that of the operator, not of the opset: ``6-12`` are those that came with
opsets 6 to 12, ``13+`` is the one of opset 13 until a later opset changes it (which is how ONNX
Runtime reads its own ``13+``), ``*`` is every version up to the table's newest opset.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Kernel", "KernelTable", "Remark", "Restriction", "kernel_tables", "list_versions"]

_ADDITIONS = "additions"
_ORDER = ("cpu", "cuda", "tensorrt", "openvino", "dml", "coreml", "webgpu")


@dataclass(frozen=True)
class Kernel:
    """A kernel: versions as they are written in the table, and element types by constraint.

    A constraint is named as in the operator's schema, or is the index of an input.
    """

    versions: tuple[str, ...]
    types: Mapping[str, frozenset[str]]

    def covers(self, version: int) -> bool:
        """Whether it is a kernel for the operator's ``version``, the opset that brought it."""
        return any(_covers(written, version) for written in self.versions)


@dataclass(frozen=True)
class Remark:
    """Something to know of a provider; of some operators only, where ``operators`` names any."""

    text: str
    source: str
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restriction:
    """What a table does not say of an operator: ranks and types of its first input.

    ``modes`` of an attribute ``mode`` have no kernel, for the ``reason``.
    """

    source: str
    ranks: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class KernelTable:
    """A provider's table.

    ``operators`` are those with kernels, by name (``domain::name`` outside the standard), and
    ``refused`` those that the source says there are none for. ``complete`` tells that the source
    lists every kernel, so that what it does not name has none. ``read_as`` are types that the
    runtime casts to another where it has no kernel for them.
    """

    provider: str
    source: str
    version: str
    read: str
    complete: bool
    newest_opset: int | None
    without_kernel: str
    operators: Mapping[str, tuple[Kernel, ...]]
    refused: frozenset[str] = frozenset()
    added: Mapping[str, str] = field(default_factory=dict)
    restricted: Mapping[str, Restriction] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    read_as: Mapping[str, str] = field(default_factory=dict)


@cache
def kernel_tables() -> Mapping[str, KernelTable]:
    """The tables, by provider."""
    additions = _read(_ADDITIONS)
    return {provider: _table(provider, _read(provider), additions[provider]) for provider in _ORDER}


def _read(name: str) -> dict[str, Any]:
    path = files("locoexport.inspection") / "kernels" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _table(provider: str, read: Mapping[str, Any], additions: Mapping[str, Any]) -> KernelTable:
    sets = {name: frozenset(types.split()) for name, types in read.get("types", {}).items()}
    remarks = [Remark(**_tupled(remark)) for remark in additions.get("remarks", ())]
    remarks += [
        Remark(f"{name}: {text}", read["source"], (name,))
        for name, text in read.get("remarks", {}).items()
        if name not in additions.get("restricted", {})
    ]
    return KernelTable(
        provider=provider,
        source=read["source"],
        version=read["version"],
        read=str(read["read"]),
        complete=read["complete"],
        newest_opset=read.get("newest_opset"),
        without_kernel=additions["without_kernel"],
        operators={
            name: tuple(_kernel(row, sets) for row in rows)
            for name, rows in read["operators"].items()
        },
        refused=frozenset(read.get("refused", ())) - set(additions.get("added", {})),
        added=additions.get("added", {}),
        restricted={
            name: Restriction(**_tupled(row))
            for name, row in additions.get("restricted", {}).items()
        },
        remarks=tuple(remarks),
        read_as=additions.get("read_as", {}),
    )


def _tupled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _kernel(row: str, sets: Mapping[str, frozenset[str]]) -> Kernel:
    written = row.split()
    types = dict(_constraint(word, sets) for word in written if "=" in word)
    return Kernel(tuple(word for word in written if "=" not in word), types)


def _constraint(word: str, sets: Mapping[str, frozenset[str]]) -> tuple[str, frozenset[str]]:
    name, _, types = word.partition("=")
    return name, sets[types[1:]] if types.startswith("@") else frozenset(types.split("|"))


def _covers(written: str, version: int) -> bool:
    if written == "*":
        return True
    first, _, last = written.rstrip("+").partition("-")
    return int(first) <= version <= int(last or first)


def list_versions(kernels: Sequence[Kernel]) -> str:
    """The versions that any of the kernels is for, as the table writes them."""
    return ", ".join(dict.fromkeys(version for kernel in kernels for version in kernel.versions))
