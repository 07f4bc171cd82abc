"""The examples of docs/objects.md, as they stand there."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import MODEL_HW, VELOCITY_XY, tracker_bytes

from locoexport.cli import main
from locoexport.runtime.objects.box_files import read_boxes
from locoexport.runtime.objects.detection import open_detector
from locoexport.runtime.objects.segmentation import open_segmenter
from locoexport.runtime.objects.tracked import BoxSource
from locoexport.runtime.video.mp4 import write_mp4

PAGE = (Path(__file__).parents[3] / "docs" / "objects.md").read_text(encoding="utf-8")
HEIGHT, WIDTH, FRAMES = 96, 128, 20
HIDDEN = range(8, 13)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def red_box(frame: int) -> np.ndarray:
    """Moves as the synthetic tracker's points do."""
    step = np.multiply(VELOCITY_XY, (WIDTH / MODEL_HW[1], HEIGHT / MODEL_HW[0]))
    return np.array([20, 50, 44, 74]) + np.tile(step * frame, 2)


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with model.onnx and clip.mp4: a red square on dark, hidden in some frames."""
    (tmp_path / "model.onnx").write_bytes(tracker_bytes())
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 20, np.uint8)
    for index, frame in enumerate(frames):
        x0, y0, x1, y1 = red_box(index).astype(int)
        if index not in HIDDEN:
            frame[y0:y1, x0:x1] = (230, 20, 20)
    write_mp4(tmp_path / "clip.mp4", frames, 25)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_detector_from_python(place: Path, capsys) -> None:
    names: dict[str, object] = {}
    exec(compile(blocks("python")[0], "docs/objects.md", "exec"), names)
    (item,) = names["report"].found.objects
    tracked = np.flatnonzero(item.source == BoxSource.TRACKED)
    assert tracked.tolist() == list(HIDDEN)
    # The film's colours bleed over a pixel or two.
    expected = [red_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=2.5)
    assert capsys.readouterr().out.startswith("0 (20, 4) [1 1 1")


def test_a_detector_and_a_segmenter_by_entry_points(place: Path, monkeypatch) -> None:
    site = place / "site"
    (site / "red_things-1.0.dist-info").mkdir(parents=True)
    (site / "red_things-1.0.dist-info" / "METADATA").write_text("Name: red-things\nVersion: 1.0\n")
    (site / "red_things.py").write_text(blocks("python")[1])
    groups = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (site / "red_things-1.0.dist-info" / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(site)
    try:
        assert type(open_detector("red")).__name__ == "RedThings"
        assert type(open_segmenter("red")).__name__ == "Red"
        command = ["track", "clip.mp4", "--model", "model.onnx", "--detect", "red"]
        command += ["--segment", "red", "--objects", "boxes.csv"]
        monkeypatch.setattr(sys, "argv", ["locoexport", *command])
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.modules.pop("red_things", None)
    assert ended.value.code == 0
    np.testing.assert_array_equal(read_boxes("boxes.csv").frames, range(FRAMES))
