"""Seams of a file against the oracle's: tolerances, noise, ties, and what is not finite."""

import numpy as np
import pytest

from locoexport.contract.seams import seams_of, traced_seams
from locoexport.parity.divergence import (
    SEAM_TOLERANCES,
    Localisation,
    compare_seams,
    first_departure,
    largest_difference,
    tied_points,
)

SEAMS = seams_of(2, 4, 3)
BATCH, POINTS, FRAMES = 1, 3, 2
SHAPES = {
    "image": BATCH * FRAMES,
    "row": BATCH * POINTS * FRAMES,
    "track": BATCH * POINTS,
    "batch": BATCH,
    "point": POINTS,
    "frame": FRAMES,
}


def values(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        seam.tensor: random.uniform(0.5, 1, [SHAPES.get(axis, 4) for axis in seam.axes]).astype(
            np.float32
        )
        for seam in SEAMS
    }


NOT_TIED = np.zeros((BATCH, POINTS), bool)


def test_names_are_unique_and_split_parts_share_them() -> None:
    names = [seam.tensor for seam in SEAMS]
    assert len(set(names)) == len(names) == 2 + 3 + 3 + 5 + 4 * (6 + 1 + 3 + 1 + 3)
    whole = {seam.tensor for seam in traced_seams(SEAMS, "whole")}
    assert whole == set(names) - {"tracks", "occlusion", "expected_dist"}
    parts = [seam for part in ("encoder", "query", "tracker") for seam in traced_seams(SEAMS, part)]
    assert {seam.tensor for seam in parts} == whole - {s.tensor for s in SEAMS if s.split_output}


def test_equal_values_depart_nowhere() -> None:
    readings = compare_seams(SEAMS, values(), [values()], values(), NOT_TIED)
    assert len(readings) == len(SEAMS)
    assert first_departure(readings) is None
    assert Localisation("probe", readings, ()).first is None


@pytest.mark.parametrize("seam", SEAMS, ids=str)
def test_a_departure_is_found_at_every_seam(seam) -> None:
    found = values()
    scale = 256 if seam.kind == "pixels" else found[seam.tensor].max()
    where = tuple(size - 1 for size in found[seam.tensor].shape)
    found[seam.tensor][where] += 2 * SEAM_TOLERANCES[seam.kind] * scale
    readings = compare_seams(SEAMS, values(), [values()], found, NOT_TIED)
    first = first_departure(readings)
    assert first is not None
    assert (first.seam, first.difference.index) == (seam, where)
    assert first.difference.expected == values()[seam.tensor][where]
    assert first.difference.found == found[seam.tensor][where]
    assert first.excess == pytest.approx(2, rel=0.02)


def test_what_the_oracle_itself_moves_is_allowed() -> None:
    seam = SEAMS[-1]
    moved, found = values(), values()
    moved[seam.tensor][0, 1] += 1
    found[seam.tensor][0, 1] += 3.9
    assert first_departure(compare_seams(SEAMS, values(), [moved], found, NOT_TIED)) is None
    found[seam.tensor][0, 1] += 0.2
    assert first_departure(compare_seams(SEAMS, values(), [moved], found, NOT_TIED)) is not None
    # ... and at that point alone
    found = values()
    found[seam.tensor][0, 2] += 3.9
    assert first_departure(compare_seams(SEAMS, values(), [moved], found, NOT_TIED)) is not None


def test_tied_points_are_left_out_after_the_heatmap_unless_not_finite() -> None:
    tied = np.array([[False, True, False]])
    for seam in SEAMS:
        if seam.axes[0] not in ("row", "track") and seam.axes[:2] != ("batch", "point"):
            continue
        found = values()
        rows = found[seam.tensor].reshape(BATCH * POINTS, -1)
        rows[1] += 100
        first = first_departure(compare_seams(SEAMS, values(), [], found, tied))
        before = seam.kind in ("support", "costs", "heatmap")
        assert (first is not None) == before, seam
        rows[1] = np.nan
        assert first_departure(compare_seams(SEAMS, values(), [], found, tied)).seam == seam


def test_a_tie_is_two_largest_cells_that_are_nearly_equal() -> None:
    reference = values()
    heatmaps = np.zeros((BATCH * POINTS * FRAMES, 1, 4, 4), np.float32)
    heatmaps[:, 0, 1, 1] = 1
    heatmaps[3, 0, 2, 2] = 1 - 1e-6  # point 1, frame 1
    reference["/cost_volume/seam/heatmap"] = heatmaps
    assert tied_points(reference, BATCH, POINTS).tolist() == [[False, True, False]]


def test_another_shape_departs_infinitely_but_for_rows_that_nothing_reads() -> None:
    found = values()
    name = "/refinement_1/torch_pips_mixer/seam/changes"
    found[name] = found[name][..., :3]
    assert first_departure(compare_seams(SEAMS, values(), [values()], found, NOT_TIED)) is None
    found["/cost_volume/seam/costs"] = found["/cost_volume/seam/costs"][:1]
    first = first_departure(compare_seams(SEAMS, values(), [values()], found, NOT_TIED))
    assert (str(first.seam), first.excess) == ("cost volume: costs", np.inf)


def test_the_largest_difference() -> None:
    expected = np.array([[1, np.nan], [3, 4]], np.float32)
    found = np.array([[1, np.nan], [3.5, 4]], np.float32)
    assert largest_difference(expected, found).index == (1, 0)
    found[0, 0] = np.inf
    assert largest_difference(expected, found).error == np.inf
    assert largest_difference(expected, found[:1]).error == np.inf
