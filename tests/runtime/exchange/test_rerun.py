"""Rerun's recording, written and read back by its SDK."""

import sys
from pathlib import Path

import numpy as np
import pytest
from moving_points import FACTS, moving_points

from locoexport.errors import PackageMissingError
from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_without_the_package_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    path = tmp_path / "t.rrd"
    with pytest.raises(PackageMissingError, match=r"pip install 'locoexport\[rerun\]'"):
        export_tracks(path, moving_points(), FACTS, find_format(path))
    assert list(tmp_path.iterdir()) == []


def test_the_sdk_reads_the_same_places(tmp_path: Path) -> None:
    chunks = pytest.importorskip("rerun.chunk")
    path, tracks = tmp_path / "t.rrd", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    found: dict[str, dict[tuple[int, int], tuple[float, float]]] = {}
    for chunk in chunks.RrdReader(str(path)).stream().to_chunks():
        entity = str(chunk.entity_path)
        if not entity.startswith("/tracks/"):
            continue
        batch = chunk.to_record_batch().to_pydict()
        column = {name.split(":")[-1]: values for name, values in batch.items()}
        rows = (column["frame"], column["time"], column["positions"], column["point"])
        for frame, time, places, points in zip(*rows, strict=True):
            assert abs(time.total_seconds() - frame / 25) < 1e-6
            for place, point in zip(places or [], points or [], strict=True):
                found.setdefault(entity, {})[frame, point] = place
    assert sorted(found["/tracks/hidden"]) == [(2, 0), (3, 0)]
    assert len(found["/tracks/visible"]) == 10
    for (frame, point), place in {**found["/tracks/hidden"], **found["/tracks/visible"]}.items():
        np.testing.assert_allclose(place, tracks.xy[point, frame], atol=1e-4)
