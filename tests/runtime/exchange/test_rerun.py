"""Rerun's recording, written and read back by its SDK."""

import sys
from pathlib import Path

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
