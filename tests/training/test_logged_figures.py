"""What a run logged, read back from Lightning's CSV."""

import math

import pytest

from locoexport.training.logged_figures import (
    LoggedLoss,
    LoggedScores,
    TrainingFigures,
    read_figures,
)
from locoexport.training.run_folder import RunFolder

HEAD = (
    "epoch,initial,loss,occlusion,position,step,uncertainty,val/average_pts_within_thresh,"
    "val/b/average_jaccard,val/b/average_pts_within_thresh,val/b/occlusion_accuracy,"
    "val/a/average_jaccard,val/a/average_pts_within_thresh,val/a/occlusion_accuracy"
)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.figures.parent.mkdir()
    return made


def test_a_run_that_logged_nothing_has_no_figures(tmp_path) -> None:
    assert read_figures(RunFolder(tmp_path)) == TrainingFigures()


def test_losses_and_scores_are_told_apart(folder: RunFolder) -> None:
    rows = (
        HEAD,
        "0,,,,,2,,0.6,0.5,0.7,0.9,0.4,0.5,0.8",
        "0,0.25,1.5,0.5,0.125,4,0.75,,,,,,,",
    )
    folder.figures.write_text("\n".join(rows) + "\n")
    assert read_figures(folder) == TrainingFigures(
        # The fifth step is Lightning's step 4.
        (LoggedLoss(5, 1.5, 0.25, 0.125, 0.5, 0.75),),
        (LoggedScores(3, "a", 0.4, 0.5, 0.8), LoggedScores(3, "b", 0.5, 0.7, 0.9)),
    )


def test_a_step_that_was_taken_again_counts_as_the_last_time(folder: RunFolder) -> None:
    rows = (HEAD, *(f"0,,{loss},,,{step},,,,,,,," for step, loss in ((9, 3), (4, 2), (9, 1))))
    folder.figures.write_text("\n".join(rows) + "\n")
    found = read_figures(folder).losses
    assert [(loss.step, loss.total) for loss in found] == [(5, 2.0), (10, 1.0)]
    assert math.isnan(found[0].initial)


@pytest.mark.parametrize("cut", ["0,0.2", "0,,1.5,,,4", "0,,1.5,,,", "\0", "", "0,,x,,,4,,,,,,,,"])
def test_a_line_that_was_cut_short_is_no_fault(folder: RunFolder, cut: str) -> None:
    folder.figures.write_text(f"{HEAD}\n0,,2.5,,,9,,,,,,,,\n{cut}")
    losses = read_figures(folder).losses
    assert losses[-1].step == 10
    assert losses[-1].total == 2.5


def test_what_lightning_logs_is_what_is_read(folder: RunFolder) -> None:
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(folder.path, name="", version="logs")
    logger.log_metrics({"loss": 2.0, "initial": 0.5, "position": math.nan}, step=4)
    logger.log_metrics({"val/a/average_pts_within_thresh": 0.5}, step=4)
    logger.save()
    figures = read_figures(folder)
    assert [(loss.step, loss.total, loss.initial) for loss in figures.losses] == [(5, 2.0, 0.5)]
    assert math.isnan(figures.losses[0].position)
    assert [(found.step, found.dataset) for found in figures.validations] == [(5, "a")]
