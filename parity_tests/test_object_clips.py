"""Objects on real clips, with the demo weights: a face that turns away, and clips without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import fetch_clips
from exported import export_once

from locoexport.contract.profile import load_profile
from locoexport.errors import NothingDetectedError
from locoexport.pipeline.tracking.objects import ObjectOutputs, ObjectSources, track_video_objects
from locoexport.runtime.objects.object_files import read_object_tracks
from locoexport.runtime.objects.tracked import BoxSource
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

pytestmark = pytest.mark.clips


@pytest.fixture(scope="module")
def clips() -> dict[str, Path]:
    try:
        return fetch_clips(Path(__file__).parents[1] / ".data" / "clips")
    except RuntimeError as error:
        pytest.skip(f"the clips cannot be fetched here: {error}")


@pytest.fixture(scope="module")
def model_path() -> Path:
    return export_once(load_profile("b0-tiny"))


def test_a_face_has_a_box_in_every_frame(
    clips: dict[str, Path], model_path: Path, tmp_path: Path
) -> None:
    tracks_file = tmp_path / "face.npz"
    track_video_objects(
        clips["carphone_pristine.mp4"],
        model_path,
        sources=ObjectSources(detector="face"),
        outputs=ObjectOutputs(tracks_file=tracks_file),
    )
    (face,) = read_object_tracks(tracks_file).objects
    # 70 detected and 50 tracked were measured, with opencv 4.14.
    assert face.frames_of(BoxSource.LOST) == 0
    assert face.frames_of(BoxSource.TRACKED) >= 40
    # The head leans to the left until frame 90; by eye its middle is within 12 px of these.
    for frame, middle in ((0, (90, 64)), (60, (78, 60)), (90, (65, 67)), (118, (76, 61))):
        box = face.boxes_xyxy[frame]
        assert np.hypot(*((box[:2] + box[2:]) / 2 - middle)) < 12, frame
        assert 45 < box[2] - box[0] < 85, frame


def test_a_clip_without_a_face_says_so(
    clips: dict[str, Path], model_path: Path, tmp_path: Path
) -> None:
    """The end of bikes.mp4: wheels, which a cascade alone takes for faces."""
    clip = read_clip(clips["bikes.mp4"])
    write_mp4(tmp_path / "wheels.mp4", clip.frames_rgb[185:225:2], clip.fps)
    with pytest.raises(NothingDetectedError, match="found nothing in"):
        track_video_objects(
            tmp_path / "wheels.mp4",
            model_path,
            sources=ObjectSources(detector="face"),
            outputs=ObjectOutputs(tracks_file=tmp_path / "a.npz"),
        )
    assert not (tmp_path / "a.npz").exists()
