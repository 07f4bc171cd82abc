"""Every variant at every opset, both samplings at 17: measures and writes docs/parity.md.

The document grows with every row.

Run as a script, ``python parity_tests/matrix.py [VARIANT ...]``; about half an hour on 2 cores.
Each export runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from locoexport.contract.profile import OPSETS, load_profile
from locoexport.machine.hardware import CpuWatch
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.runtime.session.single import open_session

DOCUMENT = Path(__file__).parents[1] / "docs" / "parity.md"
SHAPES = ((1, 2, 1), (1, 8, 20))
LARGE_SHAPES = ((1, 1, 1), (2, 3, 4), (1, 24, 64), (1, 50, 200))
"""At opset 17 as well; planar does without the last."""


def main(variants: list[str]) -> None:
    """Measure every cell in a process of its own, then write the document."""
    others = [(opset, "gather") for opset in OPSETS if opset != 17]
    rows = []
    for opset, sampling in [(17, "gather"), (17, "planar"), *others]:
        for variant in variants or list(locotrack.VARIANTS):
            command = [sys.executable, __file__, "--one", variant, str(opset), sampling]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            sys.stderr.write(f"{row}\n")
            rows.append(row)
            DOCUMENT.write_text(_document(rows), encoding="utf-8")


def measure(variant: str, opset: int, sampling: str) -> dict[str, object]:
    """Export, then compare with the oracle at every shape (the large ones at opset 17)."""
    profile = replace(
        load_profile(variant).with_options(opset=opset, sampling=sampling), demo_weights=None
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        watch = CpuWatch()
        exported = export_model(profile, path, verify=False)
        others = watch.share_of_others()
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        session = open_session(path, profile_prefix=Path(folder) / "profile")
        shapes = SHAPES
        if opset == 17:
            shapes += LARGE_SHAPES if sampling == "gather" else LARGE_SHAPES[:-1]
        probes = make_probes(shapes, profile.axes, profile.resolution_hw)
        model = load_network(profile, None).model
        report = prove(session, model, probes, profile.tolerance, ignore)
    return {
        "variant": variant,
        "opset": opset,
        "sampling": sampling,
        "passed": report.passed,
        "worst_px": report.worst_px,
        "worst_logit": report.worst_logit,
        "apart": sum(case.tied_points + case.unstable_points for case in report.cases),
        "nodes_traced": exported.nodes_traced,
        "nodes": exported.nodes_written,
        "megabytes": exported.artifact.size_bytes / 1e6,
        "seconds": exported.seconds,
        "peak_mb": peak_mb,
        "others": others,
    }


def _document(rows: list[dict]) -> str:
    def cases(shapes: tuple) -> str:
        return ", ".join(str(shape) for shape in shapes)

    header = (
        "# Parity of every variant at every opset\n\n"
        "The table compares exported files, run by ONNX Runtime on the CPU, with the unrewritten "
        "PyTorch model (5D `grid_sample`). `python parity_tests/matrix.py` writes this page.\n\n"
        "- **Weights**: [seeded](glossary.md#seeded).\n"
        f"- **Shapes** (batch, frames, points): {cases(SHAPES)}; at opset 17 also "
        f"{cases(LARGE_SHAPES)} (planar without the last).\n"
        "- **Inputs**: a moving texture and noise. Queries are in corners, on borders, up to 40 px "
        "outside the frame and at fractional times.\n"
        "- **Allowed**: 4e-3 px and 4e-3 logits.\n"
        "- **Excluded points**: [ties](glossary.md#tie) and "
        "[unstable points](glossary.md#unstable-point), which are not judged "
        "([decision 003](decisions/003-parity.md)).\n"
        "- **Export s, peak MB**: time and memory of `export --no-verify` in a separate process. "
        "Other processes took "
        f"{statistics.median(row['others'] for row in rows):.0%} of the machine meanwhile (median "
        "over the rows; unless that is 0, an idle machine is faster).\n\n"
        "| variant | opset | sampling | worst px | worst logit | excluded points "
        "| nodes traced → written | MB | export s | peak MB | result |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {row['variant']} | {row['opset']} | {row['sampling']} | {row['worst_px']:.1e} "
        f"| {row['worst_logit']:.1e} | {row['apart']} | {row['nodes_traced']} → {row['nodes']} "
        f"| {row['megabytes']:.1f} | {row['seconds']:.1f} | {row['peak_mb']:.0f} "
        f"| {'pass' if row['passed'] else '**FAIL**'} |"
        for row in rows
    ]
    return header + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.stdout.write(json.dumps(measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])) + "\n")
    else:
        main(sys.argv[1:])
