"""``locoexport profiles``: which to take, what each costs, where its weights are, and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.contract.published_weights import COSTED_CALL, OtherWeights, PublishedFacts
from locoexport.rendering.parts.tables import facts, headed, size

if TYPE_CHECKING:
    from locoexport.contract.profile import ExportProfile

__all__ = ["profiles_document", "profiles_text"]

_NUMBERS = ("params M", "file MB", "GFLOP")
_COLUMNS = ("profile", "input", *_NUMBERS, "trained weights")
_WEIGHTS = {
    "shipped": "included",
    "published": "to download",
    "neither": "your own",
}
_UNKNOWN = "-"
_NOT_STATED = "not stated"


def profiles_text(profiles: Sequence[ExportProfile], *, verbose: bool = False) -> RenderableType:
    """A row for each profile, the cheapest first, then what is known of the weights.

    ``verbose`` adds weights from elsewhere and where the figures were read.
    """
    ordered = sorted(profiles, key=_work)
    parts: list[RenderableType] = [_table(ordered), Text(), facts(_notes(ordered))]
    for names, first in _sharing(ordered):
        parts += [
            Text(),
            Text(", ".join(names), "bold"),
            facts(_weights_rows(first, verbose), indent=2),
        ]
    if not verbose and any((profile.published or PublishedFacts()).others for profile in ordered):
        parts += [Text(), Text("locoexport -v profiles also lists weights from other places.")]
    return Group(*parts)


def profiles_document(profiles: Sequence[ExportProfile]) -> dict[str, Any]:
    """``locoexport.profiles/1``."""
    return {
        "schema": "locoexport.profiles/1",
        "profiles": [
            {**asdict(profile), "availability": profile.availability} for profile in profiles
        ],
    }


def _work(profile: ExportProfile) -> float:
    return math.inf if profile.cost is None else profile.cost.gflop_24x64


def _table(profiles: Sequence[ExportProfile]) -> Table:
    table = headed(_COLUMNS, right=_NUMBERS)
    for profile in profiles:
        cost = profile.cost
        table.add_row(
            profile.name,
            size(profile.resolution_hw),
            _UNKNOWN if cost is None else f"{cost.parameters / 1e6:.2f}",
            _UNKNOWN if cost is None else f"{cost.file_bytes / 1e6:.1f}",
            _UNKNOWN if cost is None else f"{cost.gflop_24x64:.0f}",
            _WEIGHTS[profile.availability],
        )
    return table


def _notes(profiles: Sequence[ExportProfile]) -> list[tuple[str, str]]:
    """Which to take, and what the columns mean."""
    shipped = [profile.name for profile in profiles if profile.availability == "shipped"]
    rows = []
    if shipped:
        rows.append(
            (
                "take",
                f"{' or '.join(shipped)} first: trained weights are included, nothing to download",
            )
        )
    return [
        *rows,
        ("GFLOP", f"work of one call ({COSTED_CALL}); time grows with it"),
        ("file", "float32 export"),
        (
            "to download",
            "export --backbone NAME --checkpoint published downloads these weights; read their "
            "licence first",
        ),
    ]


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
    known = profile.published or PublishedFacts()
    weights = profile.demo_weights, profile.published_weights
    return *weights, known.licence, known.reports, known.others


def _weights_rows(profile: ExportProfile, verbose: bool) -> list[tuple[str, str]]:
    known = profile.published or PublishedFacts()
    if profile.demo_weights is not None:
        rows = [("weights", f"{profile.demo_weights}, in this package")]
    elif profile.published_weights is not None:
        rows = [("weights", profile.published_weights)]
    else:
        return [("weights", "none are known to be published")]
    rows += _claims(known, verbose)
    if verbose:
        for other in known.others:
            rows += [("or", other.where), ("", other.name), *_claims(other, verbose)]
    return rows


def _claims(known: PublishedFacts | OtherWeights, verbose: bool) -> list[tuple[str, str]]:
    """Licence and accuracy as their authors state them."""
    accuracy = known.reports or _NOT_STATED
    if verbose and known.reports_source is not None:
        accuracy += f" ({known.reports_source})"
    return [("licence", known.licence or _NOT_STATED), ("accuracy", accuracy)]
