"""The plot of a run: a picture of whatever was logged, and lines that are means."""

import math

import matplotlib.image
import pytest
from training_reports import make_figures

from locoexport.rendering.train_plot import draw_training, smooth
from locoexport.training.figures import RunFigures, StepFigures


@pytest.mark.parametrize("steps", [5, 10, 3000])
def test_it_is_a_picture_of_many_steps_and_of_few(steps: int, tmp_path) -> None:
    draw_training("run", make_figures(steps), tmp_path / "loss.png")
    picture = matplotlib.image.imread(tmp_path / "loss.png")
    assert picture.ndim == 3
    # With scores below, it is higher.
    assert picture.shape[0] == (960 if steps == 3000 else 600)


def test_a_run_whose_every_loss_is_lost_is_drawn_too(tmp_path) -> None:
    lost = RunFigures((StepFigures(5, *(math.nan,) * 6), StepFigures(10, *(math.inf,) * 6)), ())
    draw_training("run", lost, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_smoothing_is_the_mean_around_each_place() -> None:
    assert smooth([1.0, 2.0, 3.0, 7.0], 1) == [1.0, 2.0, 3.0, 7.0]
    assert smooth([1.0, 2.0, 3.0, 7.0], 3) == [1.5, 2.0, 4.0, 5.0]
    assert smooth([1.0, 2.0, 3.0, 7.0], 2) == [1.5, 2.5, 5.0, 7.0]
    assert smooth([], 3) == []


def test_what_is_not_finite_counts_nowhere() -> None:
    assert smooth([1.0, math.nan, 3.0], 3) == [1.0, 2.0, 3.0]
    assert math.isnan(smooth([math.inf, math.nan], 2)[0])
