"""``locoexport train``: its report at 80 columns, its words and its document."""

import io
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from training_reports import make_figures, make_scores, make_training

from locoexport.machine.writing.documents import finite
from locoexport.pipeline.training.run import TrainReport
from locoexport.rendering.train import train_document, train_text
from locoexport.training.figures import RunFigures
from locoexport.training.validation import Validation


def printed(report: TrainReport, width: int = 80) -> str:
    """As ``print_result`` gives it to a terminal of that width."""
    from locoexport.cli.terminal import console

    page = io.StringIO()
    terminal = Console(file=page, width=width, highlight=False, markup=False, emoji=False)
    console._print_parts(terminal, console.escaped(train_text(report, make_figures())))
    return page.getvalue()


def words(report: TrainReport, width: int = 80) -> str:
    return " ".join(printed(report, width).split())


def test_no_line_is_longer_than_80_columns() -> None:
    lines = printed(make_training()).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_was_run_is_there(width: int) -> None:
    text = words(make_training(), width)
    for fact in (
        "run my run",
        "model b0-tiny",
        "from fresh weights",
        "data movi-e:/data/movi@3, synthetic",
        "4 x 8 to 24 frames x 256 points at 256x256, for float32",
        "3000 of 3000, 2.0 h",
        "1.003 at step 3000",
    ):
        assert fact in text


def test_every_validation_is_a_row_and_the_best_is_marked() -> None:
    lines = printed(make_training()).splitlines()
    rows = [line.split() for line in lines if line.strip().startswith(("1000", "2000", "3000"))]
    assert rows == [
        ["1000", "synthetic", "50.0", "60.0", "90.0", "1.25"],
        ["1000", "motorcycle", "50.0", "80.0", "90.0", "1.25"],
        ["2000", "synthetic", "50.0", "75.0", "90.0", "1.25", "best"],
        ["2000", "motorcycle", "50.0", "80.0", "90.0", "1.25", "best"],
        ["3000", "synthetic", "50.0", "70.0", "90.0", "1.25"],
        ["3000", "motorcycle", "50.0", "80.0", "90.0", "1.25"],
    ]


def test_of_many_validations_the_newest_and_the_best_are_shown() -> None:
    many = tuple(
        Validation(1000 * n, (("synthetic", make_scores(0.9 if n == 3 else 0.5)),))
        for n in range(1, 101)
    )
    report = make_training(validations=many)
    lines = printed(report).splitlines()
    steps = [line.split()[0] for line in lines if " synthetic " in line and "data" not in line]
    assert steps == ["3000", *(str(1000 * n) for n in range(89, 101))]
    assert "(without 87 earlier ones)" in words(report)
    assert len(train_document(report, make_figures())["validations"]) == 100


@pytest.mark.parametrize(
    ("rounding", "export", "track"),
    [
        ("float32", "'my run/best.ckpt' -o", "'my run/model.onnx'"),
        ("int8", "'my run/best.ckpt' --precision int8 -o", "'my run/model.onnx'"),
        ("bf16", "'my run/best.ckpt' -o", "--provider openvino:precision=bf16"),
    ],
)
def test_the_next_commands_can_be_typed(rounding, export, track) -> None:
    recipe = replace(make_training().recipe, rounding=rounding)
    lines = printed(make_training(recipe=recipe)).splitlines()
    commands = [line.strip() for line in lines if line.startswith("  locoexport ")]
    assert [shlex.split(command)[1] for command in commands] == ["export", "verify", "track"]
    assert f"locoexport export --checkpoint {export} 'my run/model.onnx'" == commands[0]
    assert commands[2].endswith(track)


def test_which_checkpoint_is_which() -> None:
    assert "best.ckpt has the weights of step 2000" in words(make_training())
    assert "last.ckpt has those of the last step" in words(make_training())
    last = make_training(validations=make_training().validations[:2], steps_done=2000)
    assert "step 2000, whose δ_avg is the highest, and which is the last." in words(last)
    none = make_training(validations=())
    assert "Nothing was validated; my run/last.ckpt has the weights" in words(none)
    assert "--checkpoint 'my run/last.ckpt'" in words(none)
    assert train_document(none, RunFigures((), ()))["best_checkpoint"] is None


def test_warnings_are_told_last() -> None:
    report = make_training(warnings=("There is no GPU here.",))
    assert printed(report).splitlines()[-1] == "warning: There is no GPU here."


def test_the_document_has_every_figure_and_no_nan() -> None:
    validations = (Validation(10, (("synthetic", make_scores(math.nan)),)),)
    report = make_training(validations=validations, warnings=("odd",))
    made = finite(train_document(report, make_figures(20)))
    document = json.loads(json.dumps(made, allow_nan=False))
    assert document["schema"] == "locoexport.train/1"
    assert (document["folder"], document["profile"]) == ("my run", "b0-tiny")
    assert (document["steps"], document["recipe"]["clips"]) == (3000, 4)
    assert document["validations"][0]["scores"]["synthetic"]["average_pts_within_thresh"] is None
    assert [loss["step"] for loss in document["losses"]] == [5, 10, 15, 20]
    assert document["losses"][1]["loss"] is None
    assert document["losses"][3]["loss"] == pytest.approx(1.5)
    assert document["warnings"] == ["odd"]
    assert document["last_checkpoint"] == str(Path("my run/last.ckpt"))


@pytest.mark.parametrize(
    ("seconds", "said"), [(42.4, "42 s"), (210, "3.5 min"), (8640, "2.4 h"), (360_000, "100.0 h")]
)
def test_time_is_told_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert f"3000 of 3000, {said}" in words(make_training(seconds=seconds))
