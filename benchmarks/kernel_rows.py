"""Rows of locoexport/inspection/kernels: kernels as sources state them, merged and written."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

NAMES_OF_TYPES = {"float": "float32", "double": "float64"}
LONGEST_INLINE = 3
"""So many types are written out in a row; a longer set gets a name."""
Types = frozenset[tuple[str, frozenset[str]]]
"""Constraints: a name, and the types that it allows."""


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


def qualified(domain: str, operator: str) -> str:
    """An operator's name, with its domain where that is not the standard's."""
    return operator if domain in ("", "ai.onnx") else f"{domain}::{operator}"


def type_name(written: str) -> str:
    """``tensor(float)`` → ``float32``."""
    inner = written.removeprefix("tensor(").removesuffix(")")
    return NAMES_OF_TYPES.get(inner, inner)


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
    """A constraint in an order that does not change from run to run."""
    return constraint[0], sorted(constraint[1])


def first_version(written: str) -> int:
    """What rows are sorted by."""
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
    """A row as kernel_tables.py reads it."""
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
    """A name as a key of TOML."""
    return quoted(name) if ":" in name or "." in name else name


def quoted(text: str) -> str:
    """A string of TOML."""
    return json.dumps(text, ensure_ascii=False)
