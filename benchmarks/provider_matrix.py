"""Every provider of this machine on every variant: distance from PyTorch, time, placement.

    python benchmarks/provider_matrix.py [--variants b0-tiny,b0] [--docs] [--no-time]

``--docs`` writes docs/providers.json and the table in docs/providers.md, between its two marks.
Providers that do not work here are named with what is missing, never left out in silence. Times
are medians of runs that take turns with the CPU provider's; ``--no-time`` leaves them out (on a
machine that is busy).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime

import locotrack
from locoexport.benchmarking.contenders import open_graph
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.errors import LocoExportError
from locoexport.files import whole_file
from locoexport.installation import installed_version
from locoexport.machine import measure_load, read_cpu
from locoexport.network import load_network
from locoexport.pipeline.cached_export import cached_export
from locoexport.pipeline.notices import ignore
from locoexport.pipeline.proof import make_probes, prove
from locoexport.probes import make_probe
from locoexport.profile import ExportProfile, load_profile
from locoexport.runtime.placement import placed_elsewhere
from locoexport.runtime.providers import PROVIDERS, probe_provider
from locoexport.runtime.session import open_session

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
SHAPES = ((1, 2, 1), (2, 3, 4), (1, 8, 20))
TIMED = (8, 64)
ROUNDS = 7


def main() -> None:
    """Measure and print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", default=",".join(locotrack.VARIANTS))
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--no-time", action="store_true")
    options = parser.parse_args()
    document = measure(options.variants.split(","), timed=not options.no_time)
    table = write_table(document)
    print(table)
    if options.docs:
        with whole_file(ROOT / "docs" / "providers.json") as draft:
            draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        page = ROOT / "docs" / "providers.md"
        text = page.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        page.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def measure(variants: list[str], *, timed: bool) -> dict[str, Any]:
    """Every variant on every provider that works here."""
    probes = {name: probe_provider(name) for name in PROVIDERS}
    working = [name for name, probe in probes.items() if probe.works]
    rows = []
    for variant in variants:
        profile = load_profile(variant)
        path = cached_export(profile, ignore)
        for provider in working:
            row = {"variant": variant, **one_parity(profile, path, provider)}
            if timed and row["error"] is None:
                row |= one_time(profile, path, provider)
            rows.append(row)
            print(row, flush=True)
    return {
        "cpu": asdict(read_cpu()),
        "busy": measure_load(1.0),
        "timed": timed,
        "onnxruntime": onnxruntime.__version__,
        "openvino": installed_version("openvino"),
        "absent": {name: probe.missing for name, probe in probes.items() if not probe.works},
        "rows": rows,
    }


def one_parity(profile: ExportProfile, path: Path, provider: str) -> dict[str, Any]:
    """Distance from the unrewritten model, and where the nodes ran."""
    empty = {"provider": provider, "px": None, "logits": None, "passed": False, "ms": None}
    try:
        with tempfile.TemporaryDirectory() as folder:
            session = open_session(path, provider, profile_prefix=Path(folder) / "profile")
            network = load_network(profile, None)
            inputs = make_probes(SHAPES, profile.axes, profile.resolution_hw)
            report = prove(session, network.model, inputs, profile.tolerance, ignore)
            elsewhere = placed_elsewhere(session.placed_nodes(), provider)
    except LocoExportError as error:
        return {**empty, "error": str(error)}
    return {
        **empty,
        "error": None,
        "px": report.worst_px,
        "logits": report.worst_logit,
        "apart": report.apart_points,
        "passed": report.passed,
        "placement": dict(report.placement),
        "elsewhere": [asdict(group) for group in elsewhere],
    }


def one_time(profile: ExportProfile, path: Path, provider: str) -> dict[str, Any]:
    """Milliseconds of a call, in turns with the CPU provider."""
    frames, points = TIMED
    probe = make_probe(
        "textured", batch=1, frames=frames, points=points, size_hw=profile.resolution_hw, seed=0
    )
    sides = [open_graph(path, name, name) for name in (provider, "cpu")]
    for side in sides:
        side.prepare(probe.video, probe.query_points_tyx)
        settle(side)
    seconds = take_turns(sides, ROUNDS, progress=lambda done: None)
    ours, cpu = (statistics.median(side) for side in seconds)
    return {"ms": ours * 1e3, "cpu_ms": cpu * 1e3, "ratio": cpu / ours}


def write_table(document: dict[str, Any]) -> str:
    """The table as Markdown, and what it was measured on."""
    cpu = document["cpu"]
    frames, points = TIMED
    lines = [
        f"{cpu['model']}, {cpu['usable_cores']} cores; ONNX Runtime {document['onnxruntime']}, "
        f"OpenVINO {document['openvino']}. Distance from PyTorch is the worst of "
        f"{', '.join('x'.join(map(str, shape)) for shape in SHAPES)} (batch x frames x points) and "
        f"of noise; ms of one call at {frames} x {points}, and how many times as fast as the CPU "
        "provider, both run in turn.",
        "",
        "| variant | provider | px | logits | within tolerance | ms | x cpu | nodes elsewhere |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        if row["error"] is not None:
            lines.append(f"| {row['variant']} | {row['provider']} | - | - | {row['error']} | | | |")
            continue
        time = f"{row['ms']:.0f} | {row['ratio']:.2f}" if row["ms"] is not None else "not timed | -"
        elsewhere = sum(group["count"] for group in row["elsewhere"]) or "-"
        lines.append(
            f"| {row['variant']} | {row['provider']} | {row['px']:.1e} | {row['logits']:.1e} | "
            f"{'yes' if row['passed'] else '**no**'} | {time} | {elsewhere} |"
        )
    lines += ["", "Not on this machine:", ""]
    lines += [f"- {name}: {missing}" for name, missing in document["absent"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
