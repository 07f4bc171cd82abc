"""The figures of several starts as one table."""

from pathlib import Path

import pytest

from locoexport.errors import InputError
from locoexport.training.figures import (
    DatasetFigures,
    RunFigures,
    ValidationFigures,
    read_figures,
    start_log,
)
from locoexport.training.run_folder import RunFolder

HEAD = "initial,learning_rate,loss,occlusion,position,step,uncertainty,rounding_px"
SCORED = (
    "step,val/average_pts_within_thresh,val/a/b.pkl/average_jaccard,"
    "val/a/b.pkl/average_pts_within_thresh,val/a/b.pkl/occlusion_accuracy"
)


def write(folder: RunFolder, first: int, *lines: str) -> Path:
    path = start_log(folder, first) / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(step: int, loss: float) -> str:
    return f"1,0.001,{loss},2,3,{step},4,0"


def test_a_run_that_has_not_begun_has_none(tmp_path) -> None:
    assert read_figures(RunFolder(tmp_path / "none")) == RunFigures((), ())


def test_a_later_start_replaces_what_it_repeats(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    write(folder, 0, HEAD, row(1, 9.0), row(5, 8.0), row(10, 7.5), row(15, 7.2))
    write(folder, 8, HEAD, row(10, 7.0))
    write(folder, 10, HEAD, row(15, 6.0))
    steps = read_figures(folder).steps
    assert [(it.step, it.loss) for it in steps] == [(1, 9.0), (5, 8.0), (10, 7.0), (15, 6.0)]
    assert (steps[0].initial, steps[0].position, steps[0].learning_rate) == (1, 3, 0.001)


def test_validations_name_their_datasets(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    write(folder, 0, SCORED, "3,0.5,0.25,0.5,0.75")
    dataset = DatasetFigures("a/b.pkl", 0.25, 0.5, 0.75)
    assert read_figures(folder) == RunFigures((), (ValidationFigures(3, 0.5, (dataset,)),))


def test_a_damaged_line_is_named(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    path = write(folder, 0, HEAD, row(1, 9.0), "1,0.001,8.0,tw")
    with pytest.raises(InputError, match=f"{path}, line 3 is damaged"):
        read_figures(folder)
