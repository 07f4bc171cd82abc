"""``track-many`` with a file that ``locoexport tune`` wrote: a clip counts by what ran."""

from pathlib import Path

import pytest
from tuned_files import stamp_file

from locoexport.batch.inputs import JobDefaults
from locoexport.pipeline.tracking.many import track_many
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.session import opening
from locoexport.runtime.session.providers import ProviderProbe

POINTS = JobDefaults(PointSources(points="grid:2"))


def test_clips_count_by_the_provider_that_ran(
    clips: Path, model: Path, tmp_path: Path, monkeypatch
) -> None:
    tuned = stamp_file(model, tmp_path / "tuned.onnx", "openvino", 1)
    monkeypatch.setattr(
        opening, "probe_provider", lambda name: ProviderProbe(name, name == "cpu", "it is away")
    )
    out = tmp_path / "out"
    clip = clips / "a.mp4"
    first = track_many([clip], tuned, out, defaults=POINTS, workers=1)
    assert first.passed
    assert (first.choice.provider, first.choice.chosen_by) == ("cpu", "fallback")
    assert "it is away" in first.warnings[0]
    # The same provider, named: nothing is done again.
    named = track_many([clip], tuned, out, defaults=POINTS, workers=1, provider="cpu")
    assert (named.skipped, named.warnings) == (1, ())


def test_another_provider_is_another_result(clips: Path, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    tuned = stamp_file(model, tmp_path / "tuned.onnx", "openvino", 1)
    out = tmp_path / "out"
    clip = clips / "a.mp4"
    first = track_many([clip], tuned, out, defaults=POINTS, workers=1)
    assert first.passed
    assert (first.choice.provider, first.choice.chosen_by) == ("openvino", "tune")
    second = track_many([clip], tuned, out, defaults=POINTS, workers=1, provider="cpu")
    assert second.skipped == 0
    assert second.outcomes[0].clip_id != first.outcomes[0].clip_id
