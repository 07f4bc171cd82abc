"""No command replaces what it reads, or writes two outputs to one file, even with --force."""

import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from locoexport.cli.main import app

IN, OUT = "<in>", "<out>"
"""The input, by its name; and the same file as an output, by this or another name."""

CASES = (
    ("export", "--checkpoint", IN, "-o", OUT),
    ("export", "--checkpoint", IN, "-o", "new.onnx", "--json", OUT),
    ("export", "--calibrate", IN, "--precision", "int8", "-o", OUT),
    ("export", "--calibrate", IN, "--precision", "int8", "-o", "new.onnx", "--json", OUT),
    ("export", "--profile", IN, "-o", OUT),
    ("verify", IN, "--json", OUT),
    ("verify", "m.onnx", "--checkpoint", IN, "--json", OUT),
    ("verify", "m.onnx", "--video", IN, "--json", OUT),
    ("verify", "m.onnx", "--sidecar", IN, "--json", OUT),
    ("bench", IN, "--json", OUT),
    ("bench", IN, "--plot", OUT),
    ("bench", "m.onnx", "--against", IN, "--plot", OUT),
    ("train", "--from", IN, "--data", "synthetic", "-o", OUT),
    ("train", "--from", IN, "--data", "synthetic", "-o", "run", "--json", OUT),
    ("train", "--data", IN, "-o", "run", "--json", OUT),
    ("train", "--teacher", IN, "--data", "clips:c", "-o", OUT),
    ("train", "--profile", IN, "--data", "synthetic", "-o", OUT),
    ("train", "--validate", IN, "--data", "synthetic", "-o", OUT),
    ("tune", IN, "-o", OUT),
    ("tune", IN, "-o", "new.onnx", "--json", OUT),
    ("tune", "m.onnx", "--checkpoint", IN, "-o", OUT),
    ("tune", "m.onnx", "--clip", IN, "--plot", OUT),
    ("tune", "--profile", IN, "-o", OUT),
    ("inspect", IN, "--json", OUT),
    ("doctor", IN, "--json", OUT),
    ("rewrite", IN, "-o", OUT),
    ("rewrite", IN, "-o", "new.onnx", "--json", OUT),
    ("eval", IN, "--dataset", "synthetic", "--json", OUT),
    ("eval", IN, "--dataset", "synthetic", "--latex", OUT),
    ("eval", IN, "--dataset", "synthetic", "--per-track", OUT),
    ("eval", "m.onnx", "--dataset", IN, "--json", OUT),
    ("eval", "m.onnx", "--dataset", IN, "--per-track", OUT),
    ("eval", "m.onnx", "--checkpoint", IN, "--dataset", "synthetic", "--latex", OUT),
    ("package", IN, "--triton", "repository", "--json", OUT),
    ("track", IN, "--model", "m.onnx", "-o", OUT),
    ("track", IN, "--model", "m.onnx", "--tracks", OUT),
    ("track", IN, "--model", "m.onnx", "--objects", OUT),
    ("track", IN, "--model", "m.onnx", "--json", OUT),
    ("track", "c.mp4", "--model", IN, "--tracks", OUT),
    ("track", "c.mp4", "--model", "m.onnx", "--queries", IN, "--tracks", OUT),
    ("track", "c.mp4", "--model", "m.onnx", "--mask", f"{IN}@3:4x4", "--json", OUT),
    ("track", "c.mp4", "--model", "m.onnx", "--boxes", IN, "--objects", OUT),
    ("live", IN, "--model", "m.onnx", "-o", OUT),
    ("live", "--video", IN, "--model", "m.onnx", "--jsonl", OUT),
    ("live", "c.mp4", "--model", IN, "--json", OUT),
    ("live", "c.mp4", "--detect", "face", "--detector-model", IN, "--jsonl", OUT),
    ("track-many", IN, "--model", "m.onnx", "-o", "out", "--json", OUT),
    ("track-many", "c.mp4", "--model", IN, "-o", "out", "--json", OUT),
    ("track-many", "c.mp4", "--model", "m.onnx", "--queries", IN, "-o", "out", "--json", OUT),
    ("convert", IN, "-o", OUT),
    ("convert", IN, "-o", "new.csv", "--json", OUT),
    ("convert", "t.npz", "--video", IN, "-o", OUT),
    ("convert", "t.npz", "--video", IN, "-o", "new.csv", "--json", OUT),
)
WITHOUT_INPUTS = {"profiles", "version"}
NEW_FOLDER_ALONE = {"demo"}
NAMES = ("same", "relative", "symbolic link", "hard link")


def test_every_command_is_tried() -> None:
    commands = set(typer.main.get_command(app).commands)
    assert {case[0] for case in CASES} | WITHOUT_INPUTS | NEW_FOLDER_ALONE == commands


@pytest.mark.parametrize(
    ("case", "name"),
    [
        *zip(CASES, itertools.cycle(NAMES), strict=False),
        *itertools.product((("rewrite", IN, "-o", OUT), ("inspect", IN, "--json", OUT)), NAMES),
    ],
    ids=lambda part: part if isinstance(part, str) else " ".join(part),
)
def test_an_input_is_never_replaced(
    case: tuple[str, ...], name: str, run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "given.csv"
    given.write_text("what is read\n")
    (tmp_path / "sub").mkdir()
    output = {"same": given, "relative": Path("sub/../given.csv")}.get(name, Path("other.csv"))
    if name == "symbolic link":
        output.symlink_to(given)
    elif name == "hard link":
        os.link(given, output)
    arguments = [part.replace(IN, str(given)).replace(OUT, str(output)) for part in case]
    done = run(*arguments, "--force")
    assert done.code == 2
    assert f"{output} is " in done.stderr
    assert "which is read and never replaced; name another file." in done.stderr
    assert given.read_text() == "what is read\n"


@pytest.mark.parametrize(
    "case",
    [
        ("export", "-o", OUT, "--json", OUT),
        ("rewrite", "m.onnx", "-o", OUT, "--json", OUT),
        ("bench", "m.onnx", "--plot", OUT, "--json", OUT),
        ("train", "--data", "synthetic", "-o", OUT, "--json", OUT),
        ("tune", "m.onnx", "-o", OUT, "--json", OUT),
        ("tune", "m.onnx", "--plot", OUT, "--json", OUT),
        ("eval", "m.onnx", "--dataset", "synthetic", "--per-track", OUT, "--latex", OUT),
        ("eval", "m.onnx", "--dataset", "synthetic", "--per-track", OUT, "--json", OUT),
        ("track", "c.mp4", "--model", "m.onnx", "--tracks", OUT, "--objects", OUT),
        ("track", "c.mp4", "--model", "m.onnx", "--tracks", OUT, "--json", OUT),
        ("live", "c.mp4", "--model", "m.onnx", "--jsonl", OUT, "--json", OUT),
        ("track-many", "c.mp4", "--model", "m.onnx", "-o", OUT, "--json", OUT),
        ("package", "m.onnx", "--triton", OUT, "--json", OUT),
        ("convert", "t.npz", "-o", OUT, "--json", OUT),
    ],
    ids=" ".join,
)
def test_two_outputs_are_two_files(case: tuple[str, ...], run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    names = iter(("one.csv", "sub/../one.csv"))
    done = run(*(next(names) if part == OUT else part for part in case), "--force")
    assert done.code == 2
    assert "are the same file; name two files." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sub"]


@pytest.mark.parametrize("read", ["clips", "clips/*.mp4", "clips/%d.mp4", "list.csv"])
def test_what_a_folder_a_pattern_or_a_list_stands_for_is_read(
    read: str, run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clip = tmp_path / "clips" / "1.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"\0\0\0\x20ftypisom")
    (tmp_path / "list.csv").write_text("clip\nclips/1.mp4\n")
    for command in ("track-many", "track"):
        done = run(command, read, "--model", "m", "-o", "out", "--json", clip, "--force")
        assert done.code == 2
        assert "clips/1.mp4" in done.stderr
        assert "name another file" in done.stderr
    assert clip.read_bytes() == b"\0\0\0\x20ftypisom"


def test_an_export_is_not_written_over_the_model_in_a_repository(run, tmp_path: Path) -> None:
    from synthetic_tracker import tracker_bytes

    model = tmp_path / "repository" / "mine" / "1" / "model.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(tracker_bytes())
    done = run(
        *("package", model, "--triton", tmp_path / "repository", "--name", "mine", "--force")
    )
    assert done.code == 2
    assert "which is read, is in" in done.stderr
    assert model.read_bytes() == tracker_bytes()


def test_what_is_drawn_of_images_may_lie_in_their_folder(run, tmp_path: Path) -> None:
    from synthetic_tracker import tracker_bytes

    images, model = tmp_path / "images", tmp_path / "m.onnx"
    images.mkdir()
    model.write_bytes(tracker_bytes())
    for number in range(3):
        cv2.imwrite(str(images / f"{number}.png"), np.full((48, 64, 3), 9, np.uint8))
    done = run("track", images, "--model", model, "-o", images, "--fps", "10")
    assert done.code == 0, done.stderr
    assert (images / "images.tracked.mp4").is_file()
