"""Where nodes ran, told from a session's own profile."""

import json
from pathlib import Path

from locoexport.runtime.session.placement import (
    Elsewhere,
    PlacedNode,
    count_placed,
    placed_elsewhere,
    placed_nodes,
)


def event(name: str, provider: str, op: str, index: int) -> dict[str, object]:
    arguments = {"provider": provider, "op_name": op, "node_index": str(index)}
    return {"name": f"{name}_kernel_time", "args": arguments}


class ProfiledSession:
    def __init__(self, path: Path, events: list[dict[str, object]]) -> None:
        path.write_text(json.dumps(events))
        self._path = path

    def end_profiling(self) -> str:
        return str(self._path)


def test_fallback_is_told_by_part_of_the_model(tmp_path: Path) -> None:
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    events = [
        {"name": "model_run", "args": {}},
        event("/encoder/a/Conv", cuda, "Conv", 1),
        event("/cost_volume/ArgMax", cpu, "ArgMax", 2),
        event("/refinement_1/correlation_hires/sampling/Gather", cpu, "Gather", 3),
        event("/refinement_1/correlation_hires/sampling/Gather", cpu, "Gather", 3),  # a second run
        event("/refinement_1/correlation_lowres/sampling/Gather", cpu, "Gather", 4),
        event("Fused_7", cpu, "MatMul", 5),
    ]
    nodes = placed_nodes(ProfiledSession(tmp_path / "p.json", events))
    assert count_placed(nodes) == (("cpu", 4), ("cuda", 1))
    assert placed_elsewhere(nodes, "cuda:device_id=1") == (
        Elsewhere("refinement 1: sampling", "Gather", "cpu", 2),
        Elsewhere("cost volume", "ArgMax", "cpu", 1),
        Elsewhere("unattributed", "MatMul", "cpu", 1),
    )


def test_on_the_cpu_nothing_is_elsewhere() -> None:
    assert placed_elsewhere([PlacedNode("/encoder/Conv", "Conv", "cpu")], "cpu") == ()
