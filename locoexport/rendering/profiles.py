"""``locoexport profiles``: every profile in a table, what is known of its weights, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from locoexport.contract.published_weights import COSTED_CALL, OtherWeights, PublishedFacts
from locoexport.rendering.parts.tables import headed, megabytes, size

if TYPE_CHECKING:
    from locoexport.contract.profile import ExportProfile

__all__ = ["profiles_document", "profiles_text"]

_COLUMNS = ("profile", "resolution", "parameters", "file", "GFLOP", "opset", "weights")
_NUMBERS = ("parameters", "file", "GFLOP", "opset")
_UNKNOWN = "-"
_NOT_KNOWN = "not known here"


def profiles_text(profiles: Sequence[ExportProfile]) -> Group:
    """A row for each profile, then a paragraph for each weights that profiles share."""
    return Group(
        _table(profiles),
        Text(),
        Text(
            f"GFLOP: one call of {COSTED_CALL} at the profile's resolution, convolutions and "
            "matrix products, two operations to a multiply-add. file: the float32 export. "
            "--checkpoint published takes published weights; in a repository without a file's "
            "name, state dicts tell the file."
        ),
        *(_paragraph(names, first) for names, first in _sharing(profiles)),
    )


def profiles_document(profiles: Sequence[ExportProfile]) -> dict[str, Any]:
    """``locoexport.profiles/1``."""
    return {
        "schema": "locoexport.profiles/1",
        "profiles": [
            {**asdict(profile), "availability": profile.availability} for profile in profiles
        ],
    }


def _table(profiles: Sequence[ExportProfile]) -> Table:
    table = headed(_COLUMNS, right=_NUMBERS)
    for profile in profiles:
        cost = profile.cost
        table.add_row(
            profile.name,
            size(profile.resolution_hw),
            _UNKNOWN if cost is None else f"{cost.parameters / 1e6:.2f} M",
            _UNKNOWN if cost is None else megabytes(cost.file_bytes),
            _UNKNOWN if cost is None else f"{cost.gflop_24x64:.0f}",
            str(profile.opset),
            profile.availability,
        )
    return table


def _sharing(profiles: Sequence[ExportProfile]) -> list[tuple[list[str], ExportProfile]]:
    """Names of the profiles whose weights are the same in all that is shown, and one of them."""
    groups: list[tuple[list[str], ExportProfile]] = []
    for profile in profiles:
        for names, first in groups:
            if _shown(profile) == _shown(first):
                names.append(profile.name)
                break
        else:
            groups.append(([profile.name], profile))
    return groups


def _shown(profile: ExportProfile) -> tuple[object, ...]:
    facts = profile.published or PublishedFacts()
    weights = profile.demo_weights, profile.published_weights
    return *weights, facts.licence, facts.reports, facts.others


def _paragraph(names: Sequence[str], profile: ExportProfile) -> Group:
    title = Text(", ".join(names), "bold")
    facts = profile.published or PublishedFacts()
    if profile.demo_weights is not None:
        where = f"Shipped: {profile.demo_weights}"
    elif profile.published_weights is not None:
        where = f"Published: {profile.published_weights}"
    else:
        return Group(Text(), title, _indented("No weights are shipped or known to be published."))
    others = [
        part
        for other in facts.others
        for part in (
            _indented(f"Elsewhere: {other.name}:"),
            # An address has a line of its own, so that it can be copied whole.
            Text(f"  {other.where}", no_wrap=True, overflow="ignore"),
            _indented(_claims(other)),
        )
    ]
    return Group(Text(), title, _indented(where), _indented(_claims(facts)), *others)


def _claims(facts: PublishedFacts | OtherWeights) -> str:
    """Licence and accuracy as their authors state them."""
    if facts.licence is None and facts.reports is None:
        return f"Licence and accuracy: {_NOT_KNOWN}."
    source = "" if facts.reports_source is None else f" ({facts.reports_source})"
    licence, accuracy = facts.licence or _NOT_KNOWN, facts.reports or _NOT_KNOWN
    return f"Licence: {licence}. Accuracy: {accuracy}{source}."


def _indented(text: str) -> Padding:
    return Padding(Text(text, overflow="fold"), (0, 0, 0, 2), expand=False)
