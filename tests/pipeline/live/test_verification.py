"""verify of a live export, by the name of any of its files."""

from pathlib import Path

import pytest
from exported import live_once

from locoexport.errors import CheckpointError, UsageError
from locoexport.pipeline.verify import verify_model


def test_any_of_the_files_names_it() -> None:
    report = verify_model(live_once().with_name("model.query.onnx"))
    # At 64x64 more points of noise are unstable than a proof may have; none is wrong.
    assert all(case.passed for case in report.parity.cases)
    assert report.model_path.name == "model.live.onnx"
    assert "frame by frame" in report.against
    assert dict(report.parity.placement)["cpu"] > 1000
    assert report.elsewhere == ()


def test_what_is_of_clips_is_refused() -> None:
    with pytest.raises(UsageError, match="--video"):
        verify_model(live_once(), video="clip.mp4")
    with pytest.raises(UsageError, match="--localise"):
        verify_model(live_once(), localise=True)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "b0-tiny.safetensors"
    other.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="is not what"):
        verify_model(live_once(), checkpoint=other)
