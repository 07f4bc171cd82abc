"""Which models the page gets, of what is given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from browser_session import NODE_MODULES
from exported import live_once
from synthetic_tracker import tracker_bytes

from locoexport.errors import ModelFileError
from locoexport.pipeline.demo import prepared_site
from locoexport.runtime.session.split_files import name_live_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (NODE_MODULES / "onnxruntime-web").is_dir(), reason="make browser-tools was not run"
    ),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for clips, and a live export of its name beside it."""
    named = tmp_path_factory.mktemp("models") / "m.onnx"
    named.write_bytes(tracker_bytes())
    for role, path in name_live_files(live_once()).items():
        shutil.copy(path, name_live_files(named)[role])
    return named


def _said(model: Path) -> Any:
    with prepared_site(model, runtime=NODE_MODULES) as site:
        return json.loads(site.texts["site.json"])


def test_a_live_export_beside_a_model_is_for_the_camera(models: Path, tmp_path: Path) -> None:
    document = _said(models)
    assert document["model"]["files"] == {"whole": "model/m.onnx"}
    parts = {part: f"live/m.{part}.onnx" for part in ("encoder", "query", "live")}
    assert document["live"]["name"] == "m.live.onnx"
    assert document["live"]["files"] == parts
    shutil.copy(models, tmp_path / "alone.onnx")
    assert _said(tmp_path / "alone.onnx")["live"] is None


def test_a_live_export_alone_is_a_page_with_a_camera(models: Path) -> None:
    document = _said(models.with_name("m.live.onnx"))
    assert document["model"] is None
    assert document["live"]["name"] == "m.live.onnx"


def test_a_live_file_that_lacks_its_neighbours_is_refused(models: Path, tmp_path: Path) -> None:
    shutil.copy(models, tmp_path / "m.onnx")
    shutil.copy(models.with_name("m.live.onnx"), tmp_path / "m.live.onnx")
    with pytest.raises(ModelFileError, match=r"m\.encoder\.onnx"):
        _said(tmp_path / "m.onnx")
