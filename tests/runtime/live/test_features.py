"""Features of points in files."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError, UsageError
from locoexport.runtime.live.features import QueryFeatures

GOOD = np.ones((2, 4, 3), np.float32)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    supports = {"hires": np.arange(24, dtype=np.float32).reshape(2, 4, 3)}
    QueryFeatures(supports, "b0 weights").save(tmp_path / "f.npz")
    found = QueryFeatures.load(tmp_path / "f.npz")
    assert (len(found), found.model) == (2, "b0 weights")
    assert np.array_equal(found.supports["hires"], supports["hires"])


@pytest.mark.parametrize(
    "arrays",
    [
        {"model": "m"},
        {"support/hires": GOOD},
        {"model": ["m", "n"], "support/hires": GOOD},
        {"model": "m", "support/hires": GOOD.astype(np.float64)},
        {"model": "m", "support/hires": GOOD[0]},
        {"model": "m", "support/hires": GOOD, "support/lowres": GOOD[:1]},
        {"model": "m", "support/hires": GOOD * np.float32("inf")},
    ],
)
def test_what_is_none_is_refused(arrays: dict[str, object], tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(InputError, match=r"f\.npz"):
        QueryFeatures.load(tmp_path / "f.npz")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.npz"):
        QueryFeatures({"hires": GOOD}, "m").save(tmp_path / "f.npy")
