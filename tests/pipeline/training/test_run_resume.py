"""A run that was interrupted and gone on with, against one that was not: equal to the bit."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import TinyRun, write_validation

from locoexport.errors import StoppedError
from locoexport.machine.interruption import EndingSignals
from locoexport.notices import Notice
from locoexport.training.figures import read_figures
from locoexport.training.run_folder import RunFolder


class CtrlC:
    """Listens to a run, and sends SIGINT in that step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def __call__(self, notice: Notice) -> None:
        if notice.text == "training" and notice.done == self._step:
            signal.raise_signal(signal.SIGINT)


def interrupt(run: TinyRun, step: int) -> None:
    with (
        EndingSignals(names=("SIGINT",)).handled(),
        pytest.raises(StoppedError, match=f"after step {step} of 6, which .*again to go on"),
    ):
        run.start(CtrlC(step))


def load(run: TinyRun, name: str = "last.ckpt") -> Any:
    """All of a checkpoint; folders are left out of names."""
    return plain(torch.load(run.folder / name, weights_only=True), str(run.folder))


def plain(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {plain(key, folder): plain(each, folder) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, folder) for each in value]
    return value.replace(folder, "RUN") if isinstance(value, str) else value


def check_equal(found: Any, expected: Any, place: str = "checkpoint") -> None:
    assert type(found) is type(expected), place
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), place
    elif isinstance(expected, dict):
        assert list(found) == list(expected), place
        for key, value in expected.items():
            check_equal(found[key], value, f"{place}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for index, value in enumerate(expected):
            check_equal(found[index], value, f"{place}/{index}")
    else:
        assert found == expected, place


def check_same_run(found: TinyRun, expected: TinyRun) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        check_equal(load(found, name), load(expected, name))
    figures = read_figures(RunFolder(found.folder))
    assert figures == read_figures(RunFolder(expected.folder))
    assert [row.step for row in figures.steps] == [1, 5, 6]
    assert [row.step for row in figures.validations] == [3, 6]


@pytest.fixture(scope="module")
def validation(tmp_path_factory) -> Path:
    return write_validation(tmp_path_factory.mktemp("validation"))


@pytest.fixture(scope="module")
def whole(validation, tmp_path_factory) -> TinyRun:
    """An uninterrupted run with an average of the weights, and clips of several lengths."""
    run = TinyRun(tmp_path_factory.mktemp("whole") / "run", validation)
    run = run.changed(average_decay=0.9, least_frames=2)
    run.start()
    return run


# At a validation, and after one where figures are logged; below, before it.
@pytest.mark.parametrize("stopped_at", [3, 5])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(whole, tmp_path, stopped_at) -> None:
    run = replace(whole, folder=tmp_path / "run")
    interrupt(run, stopped_at)
    assert load(run)["global_step"] == stopped_at
    report = run.start()
    check_same_run(run, whole)
    assert [found.step for found in report.validations] == [3, 6]
    assert (report.steps_done, report.best) == (6, report.validations[0])
    kept = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert kept == ["step=3.ckpt", "step=6.ckpt"]


# torch says so of a machine with one core.
@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")
@pytest.mark.exhaustive
def test_workers_change_nothing(whole, tmp_path) -> None:
    run = replace(whole, folder=tmp_path / "run", workers=2)
    interrupt(run, 1)
    replace(run, workers=0).start()
    check_same_run(run, whole)


def test_without_an_average_too(validation, tmp_path) -> None:
    straight, broken = (TinyRun(tmp_path / name, validation) for name in ("straight", "broken"))
    straight.start()
    interrupt(broken, 4)
    broken.start()
    check_same_run(broken, straight)


def test_a_run_that_was_killed_repeats_what_was_not_saved(whole, tmp_path) -> None:
    """Its last checkpoint is of step 4; figures of step 5 were written already."""

    class KilledError(Exception):
        pass

    def kill(notice: Notice) -> None:
        if notice.text == "training" and notice.done == 6:
            raise KilledError

    run = replace(whole, folder=tmp_path / "run")
    with pytest.raises(KilledError):
        run.start(kill)
    assert load(run)["global_step"] == 4
    logs = RunFolder(run.folder).logs
    assert "from-step-0" in [path.name for path in logs.iterdir()]
    assert [row.step for row in read_figures(RunFolder(run.folder)).steps] == [1, 5]
    run.start()
    check_same_run(run, whole)


def test_a_finished_run_is_not_trained_again(whole) -> None:
    before = (whole.folder / "last.ckpt").read_bytes()
    report = whole.start()
    assert report.steps_done == 6
    assert [found.step for found in report.validations] == [3, 6]
    assert (whole.folder / "last.ckpt").read_bytes() == before
