"""Every golden at a profile's resolution, through the exported file, in both samplings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import export_once, seeded_profile

from locoexport.contract.profile import load_profile
from locoexport.runtime.session.single import open_session

GOLDENS = Path(__file__).parent / "goldens"
sys.path.insert(0, str(GOLDENS))
import recipe  # noqa: E402

# The goldens' own tolerance; the graph must meet it too, not the looser 4e-3 px of a profile.
TOLERANCE = 1e-3


def _cases() -> list[dict[str, object]]:
    entries = json.loads((GOLDENS / "manifest.json").read_text())["goldens"]
    return [
        entry
        for entry in entries
        if entry["variant"] != "unit"
        and entry["case"] != "inference"
        and "refinement_resolutions" not in entry
        and (entry["H"], entry["W"]) == load_profile(entry["variant"]).resolution_hw
    ]


@pytest.mark.parametrize("sampling", ["planar", "gather"])
@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["file"].removesuffix(".npz"))
def test_golden_through_the_exported_file(case: dict, sampling: str) -> None:
    golden = np.load(GOLDENS / case["file"])
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
