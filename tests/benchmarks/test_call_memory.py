"""The table of what calls take: what was not measured is empty, and the worst cell is named."""

from __future__ import annotations

import sys
from pathlib import Path

from locoexport.runtime.tracking.budget import MemoryModel

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from call_memory import page_part

MB = 10**6


def test_the_table_and_the_worst_call() -> None:
    need = MemoryModel(frame=4 * MB, refine=1 * MB, point=0.5 * MB)
    taken = {(8, 1): 32 * MB, (8, 64): 264 * MB, (24, 128): 1716 * MB}
    text = page_part(taken, need, "a machine")
    assert "| 8 | 32 | 264 |  |  |  |  |" in text
    assert "| 24 |  |  | 1716 |  |  |  |" in text
    assert "a = 4.0 MB, c = 1.0 MB and b = 0.50 MB" in text
    # 24 · (1 + 64) = 1560 MB were planned; the other two are met exactly.
    assert "1.10 times that (24 frames, 128 points)" in text
