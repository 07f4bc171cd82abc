"""Figures of a busy machine are kept and not published: a rule for all scripts that write pages."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locoexport.machine.hardware import BUSY_SHARE, running_reduced

__all__ = ["require_quiet"]


def require_quiet(shares: Mapping[str, float], figures: Any, name: str) -> None:
    """Return where the figures may be published; else keep them in a file and end with exit code 1.

    Args:
        shares: what other processes took of the machine (0 to 1), by when that was.
        figures: what was measured, for ``json.dumps``.
        name: of the benchmark; the file is called so.

    Raises:
        SystemExit: other processes took more than ``BUSY_SHARE``, or went before this one.
    """
    reasons = [
        f"other processes took {share:.0%} of the machine {when} (limit {BUSY_SHARE:.0%})"
        for when, share in shares.items()
        if share > BUSY_SHARE
    ]
    if running_reduced():
        reasons.append("this process runs at reduced priority (nice)")
    if not reasons:
        return
    kept = Path(tempfile.mkdtemp(prefix="locoexport-busy-")) / f"{name}.json"
    kept.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(
        f"Measured on a busy machine: {'; '.join(reasons)}. Nothing was published; the figures are "
        f"in {kept}. Stop the other processes and measure again."
    )
