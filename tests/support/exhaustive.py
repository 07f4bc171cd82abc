"""Which rows of a matrix run in ``make test``: one of each kind; ``make test-exhaustive`` runs all.

The rest carry the marker ``exhaustive``, which pytest leaves out unless it is told otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest

__all__ = ["matrix"]


def matrix(rows: Iterable[Any], representatives: Collection[Any]) -> list[Any]:
    """All rows for ``parametrize``; those that stand for no kind of their own are marked.

    Raises:
        ValueError: a representative is no row: it would silently test nothing.
    """
    rows = list(rows)
    if strays := [row for row in representatives if row not in rows]:
        raise ValueError(f"no rows of the matrix: {strays}")
    return [row if row in representatives else _only_in_exhaustive_runs(row) for row in rows]


def _only_in_exhaustive_runs(row: Any) -> Any:
    values = row if isinstance(row, tuple) else (row,)
    return pytest.param(*values, marks=pytest.mark.exhaustive)
