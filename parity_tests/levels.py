"""Every variant at two sets of refinement resolutions: measures and writes docs/levels.md.

Run as a script, ``python parity_tests/levels.py [VARIANT ...]``; about twenty minutes on one core.
Each file is made and proven in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from locoexport.contract.checkpoint_settings import CheckpointSettings, parse_levels
from locoexport.contract.profile import load_profile
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.network.oracle import run_reference
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.runtime.session.single import open_session

DOCUMENT = Path(__file__).parents[1] / "docs" / "levels.md"
LEVELS = ("384x512", "256x256,384x512")
SHAPES = ((1, 1, 1), (1, 2, 1), (2, 3, 4), (1, 8, 20))
_INTRODUCTION = """# Parity at other refinement resolutions

Every variant is exported for two sets of refinement resolutions and compared with PyTorch.
`python parity_tests/levels.py` measures the table and writes this page, with
[seeded](glossary.md#seeded) weights, opset 17, gather sampling and the CPU provider.

| column | meaning |
|---|---|
| initial | the resolution at which the initial tracks are found |
| levels | the refinement resolutions; pixels are those of the last one |
| torch | the PyTorch model configured by its settings, against the plain `forward(video, \
queries, refinement_resolutions)` of the same weights at 1x3x9; the golden file at 384x384 ties \
that call to the reference implementation |
| ONNX | the exported file against the unrewritten PyTorch model: the worst of (batch, frames, \
points) {shapes} of a moving texture and 1x4x9 of noise, with the awkward queries of every \
proof; 4e-3 px and 4e-3 logits are allowed |
| left out | points not judged, because they are [ties](glossary.md#tie) or \
[unstable](glossary.md#unstable-point) ([parity](decisions/003-parity.md)) |

| variant | initial | levels | torch px | torch logits | ONNX px | ONNX logits | left out | \
verdict |
|---|---|---|---|---|---|---|---|---|
"""


def main(variants: list[str]) -> None:
    """Measure every cell in a process of its own, then write the document."""
    rows = []
    for levels in LEVELS:
        for variant in variants or list(locotrack.VARIANTS):
            command = [sys.executable, __file__, "--one", variant, levels]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            sys.stderr.write(f"{rows[-1]}\n")
            DOCUMENT.write_text(_document(rows), encoding="utf-8")


def measure(variant: str, levels: str) -> dict[str, object]:
    """One file: how far it is from torch, and torch's two ways from one another."""
    sides = parse_levels(levels)
    profile = replace(load_profile(variant), demo_weights=None)
    profile = profile.with_options(settings=CheckpointSettings(refinement_resolutions=sides))
    model = load_network(profile, None).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_model(profile, path, verify=False)
        session = open_session(path, profile_prefix=Path(folder) / "profile")
        probes = make_probes(SHAPES, profile.axes, profile.working_hw)
        report = prove(session, model, probes, profile.tolerance, ignore)
    pixels, logits = _between_torch(variant, model, sides)
    height, width = profile.resolution_hw
    return {
        "variant": variant,
        "initial": f"{height}x{width}",
        "levels": levels,
        "torch_px": pixels,
        "torch_logits": logits,
        "onnx_px": report.worst_px,
        "onnx_logits": report.worst_logit,
        "apart": report.apart_points,
        "passed": report.passed,
    }


def _between_torch(
    variant: str, model: locotrack.LocoTrack, levels: tuple[tuple[int, int], ...]
) -> tuple[float, float]:
    """The configured model against the call of a plain one over the same weights."""
    probe = make_probe("textured", batch=1, frames=3, points=9, size_hw=levels[-1], seed=7)
    found = run_reference(model, probe.video, probe.query_points_tyx).outputs
    plain = locotrack.create_model(variant)
    with torch.inference_mode():
        expected = plain(
            torch.from_numpy(probe.video), torch.from_numpy(probe.query_points_tyx), levels
        )
    return (
        float(np.abs(found.tracks_xy - expected.tracks.numpy()).max()),
        float(np.abs(found.occlusion - expected.occlusion.numpy()).max()),
    )


def _document(rows: list[dict]) -> str:
    lines = [
        f"| {row['variant']} | {row['initial']} | {row['levels']} | {row['torch_px']:.1e} "
        f"| {row['torch_logits']:.1e} | {row['onnx_px']:.1e} | {row['onnx_logits']:.1e} "
        f"| {row['apart']} | {'pass' if row['passed'] else '**FAIL**'} |"
        for row in rows
    ]
    shapes = ", ".join("x".join(map(str, shape)) for shape in SHAPES)
    return _INTRODUCTION.format(shapes=shapes) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*sys.argv[2:])))
    else:
        main(sys.argv[1:])
