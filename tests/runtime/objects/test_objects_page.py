"""The examples of docs/objects.md, as they stand there."""

import re
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from face_parser_file import write_face_parser
from synthetic_tracker import MODEL_HW, VELOCITY_XY, tracker_bytes

from locoexport.cli import main
from locoexport.runtime.objects.box_files import read_boxes
from locoexport.runtime.objects.detection import open_detector
from locoexport.runtime.objects.object_files import read_object_tracks
from locoexport.runtime.objects.rules import ObjectRules, find_preset
from locoexport.runtime.objects.segmentation import open_segmenter
from locoexport.runtime.objects.tracked import BoxSource
from locoexport.runtime.video.mp4 import write_mp4

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "objects.md").read_text(encoding="utf-8")
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


def test_the_table_of_the_preset_says_its_numbers() -> None:
    rows = re.findall(r"^\| (`--[^|]*) \| ([^|]*) \| ([^|]*) \| [^|]* \|$", PAGE, re.M)
    columns = [" ".join(cells).replace(",", "").split() for cells in zip(*rows, strict=True)]
    options = [word.strip("`") for word in columns[0]]
    fields = {"object_grid": "grid_hw"}
    for column, rules in ((1, ObjectRules()), (2, find_preset("face-parsing").rules)):
        said = dict(zip(options, columns[column], strict=True))
        assert len(said) == 9
        for option, text in said.items():
            name = option.removeprefix("--").replace("-", "_")
            value = getattr(rules, fields.get(name, name))
            if text == "never":
                assert value is None
            elif isinstance(value, tuple):
                assert text == "x".join(map(str, value))
            elif isinstance(value, str):
                assert text == value
            else:
                assert float(Fraction(text)) == value


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


def install(site: Path, name: str, pyproject: str, source: str) -> None:
    """A package of one module, as pip would leave it in a folder of packages."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name.replace('_', '-')}\nVersion: 1.0\n")
    (site / f"{name}.py").write_text(source)
    groups = tomllib.loads(pyproject)["project"]["entry-points"]
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def run_page_command(monkeypatch, *command: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["locoexport", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_face_parser_by_its_entry_point(place: Path, monkeypatch, capsys) -> None:
    source = (ROOT / "examples" / "face_parsing_segmenter.py").read_text(encoding="utf-8")
    install(place / "site", "face_parsing_segmenter", blocks("toml")[1], source)
    write_face_parser(place / "bisenet.onnx")
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 20, np.uint8)
    for index, frame in enumerate(frames):
        x0, y0, x1, y1 = red_box(index).astype(int)
        frame[y0:y1, x0:x1] = (20, 230, 20)
        frame[y0:y1, x0 : (x0 + x1) // 2] = (230, 20, 20)
    write_mp4(place / "clip.mp4", frames, 25)
    monkeypatch.syspath_prepend(place / "site")
    boxes = " ".join(f"--boxes {','.join(map(str, red_box(frame)))}@{frame}" for frame in (0, 1))
    commands = re.findall(r"^ {4}locoexport (.*)$", PAGE.replace("\\\n", " "), re.M)
    (command,) = [words for words in commands if "--segmenter-model" in words]
    words = command.replace("--detect face", boxes).split()
    try:
        assert run_page_command(monkeypatch, *words, "--tracks", "a.npz") == 0
        missing = [word for word in words if word not in ("--segmenter-model", "bisenet.onnx")]
        assert run_page_command(monkeypatch, *missing, "--force") == 2
        assert "needs its .onnx file: --segmenter-model" in capsys.readouterr().err
        assert run_page_command(monkeypatch, *words, "--force", "--segmenter-model", "no") == 2
        assert "There is no segmenter model no" in capsys.readouterr().err
    finally:
        sys.modules.pop("face_parsing_segmenter", None)
    found = read_object_tracks("a.npz")
    # The points lie in the left half of the box, which alone is red enough for the network.
    x0, _, x1, _ = red_box(0)
    starts = found.tracks.query_points
    assert len(starts) > 8
    assert (starts[:, 2] <= (x0 + x1) / 2 - 1).all()


def test_a_detector_and_a_segmenter_by_entry_points(place: Path, monkeypatch) -> None:
    site = place / "site"
    install(site, "red_things", blocks("toml")[0], blocks("python")[1])
    monkeypatch.syspath_prepend(site)
    try:
        assert type(open_detector("red")).__name__ == "RedThings"
        assert type(open_segmenter("red")).__name__ == "Red"
        command = ["track", "clip.mp4", "--model", "model.onnx", "--detect", "red"]
        command += ["--segment", "red", "--objects", "boxes.csv"]
        assert run_page_command(monkeypatch, *command) == 0
    finally:
        sys.modules.pop("red_things", None)
    np.testing.assert_array_equal(read_boxes("boxes.csv").frames, range(FRAMES))
