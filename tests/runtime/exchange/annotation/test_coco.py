"""COCO keypoints, read back by a reader of the specification and by pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from exchange_readers import read_coco
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_a_keypoint_of_pixel_indices(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.coco.json", moving_points()
    tracks.xy[1, 3] = np.nan
    export_tracks(path, tracks, FACTS, find_format(path))
    places, flags = read_coco(path.read_text())
    # By hand: (10.125, 20.75) is 9.625 pixels right of the centre of the first one.
    assert places["point_0"][0] == (9.625, 20.25)
    assert list(flags["point_0"].values()) == [2, 2, 1, 1, 2, 2]
    assert list(flags["point_1"].values()) == [2, 2, 2, 0, 2, 2]
    assert places["point_1"][3] == (0, 0)
    for index, track in enumerate(places.values()):
        rows = [frame for frame in range(6) if (index, frame) != (1, 3)]
        back = np.array([track[frame] for frame in rows]) + 0.5
        np.testing.assert_allclose(back, tracks.xy[index, rows], atol=1e-4)
    scores = [each["confidence"] for each in json.loads(path.read_text())["annotations"]]
    np.testing.assert_allclose(np.transpose(scores), tracks.confidence, atol=1e-6)


def test_pycocotools_reads_the_same_places(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    path, tracks = tmp_path / "t.coco.json", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    document = coco.COCO(str(path))
    for image in document.getImgIds():
        (annotation,) = document.loadAnns(document.getAnnIds(imgIds=[image], iscrowd=False))
        rows = np.array(annotation["keypoints"]).reshape(-1, 3)
        np.testing.assert_allclose(rows[:, :2] + 0.5, tracks.xy[:, image], atol=1e-4)
        assert (rows[:, 2] == np.where(tracks.visible[:, image], 2, 1)).all()
        assert document.loadImgs(image)[0]["width"] == 640
