"""Every golden at a profile's resolution, through the exported file.

In any run with the default sampling for all but the two slowest variants, and with the other one
for two; ``make test-exhaustive`` runs both for all.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exhaustive import matrix
from exported import export_once, seeded_profile

from locoexport.contract.profile import load_profile
from locoexport.runtime.session.single import open_session

GOLDENS = Path(__file__).parent / "goldens"
sys.path.insert(0, str(GOLDENS))
import recipe  # noqa: E402

# The goldens' own tolerance; the graph must meet it too, not the looser 4e-3 px of a profile.
TOLERANCE = 1e-3
_LARGE = ("resnet-base__", "b0-proj-base__")
"""Forty seconds each; the small ones have the same parts, and test_goldens_torch.py has all."""


@cache
def _cases() -> dict[str, dict[str, Any]]:
    """Entries of the manifest by their file."""
    entries = json.loads((GOLDENS / "manifest.json").read_text())["goldens"]
    return {
        entry["file"]: entry
        for entry in entries
        if entry["variant"] != "unit"
        and entry["case"] != "inference"
        and "refinement_resolutions" not in entry
        and (entry["H"], entry["W"]) == load_profile(entry["variant"]).resolution_hw
    }


@pytest.mark.parametrize(
    ("sampling", "file"),
    matrix(
        [(sampling, file) for sampling in ("planar", "gather") for file in _cases()],
        [
            (sampling, file)
            for sampling in ("planar", "gather")
            for file in _cases()
            if (sampling == "gather" and not file.startswith(_LARGE))
            or file.startswith(("b0-tiny__", "resnet-small__"))
        ],
    ),
)
def test_golden_through_the_exported_file(sampling: str, file: str) -> None:
    case, golden = _cases()[file], np.load(GOLDENS / file)
    inputs = {name: case[name] for name in ("T", "N", "H", "W", "seed")}
    inputs["batch"] = case.get("batch", 1)
    session = open_session(export_once(seeded_profile(case["variant"], sampling=sampling)))
    answer = session.run(recipe.make_video(inputs), recipe.make_queries(inputs))
    np.testing.assert_allclose(answer.tracks_xy, golden["tracks"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(answer.occlusion, golden["occlusion"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        answer.expected_dist, golden["expected_dist"], rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("sampling", ["planar", "gather"])
def test_demo_weights_on_real_frames(sampling: str) -> None:
    golden = np.load(GOLDENS / "demo__carphone.npz")
    session = open_session(export_once(load_profile("b0-tiny").with_options(sampling=sampling)))
    answer = session.run(recipe.u8_to_float(golden["video_u8"]), golden["query_points"])
    np.testing.assert_allclose(answer.tracks_xy, golden["tracks"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(answer.occlusion, golden["occlusion"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        answer.expected_dist, golden["expected_dist"], rtol=0, atol=TOLERANCE
    )
