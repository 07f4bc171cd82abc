"""Folders that hold another run, half of one, or something else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import RECIPE, SIZE_HW, tiny_profile

from locoexport.errors import CheckpointError, InputError, OutputError, UsageError
from locoexport.models import locotrack
from locoexport.pipeline.training.request import RunRequest, check_resumable, open_folder
from locoexport.training.run_folder import RunFolder

REQUEST = RunRequest(tiny_profile(), ("synthetic",), RECIPE)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """One in which ``REQUEST`` has left a checkpoint."""
    made = RunFolder(tmp_path / "run")
    assert not open_folder(made, REQUEST, resume=True)
    made.last.write_bytes(b"a checkpoint")
    return made


def test_an_equal_request_goes_on(folder) -> None:
    assert open_folder(folder, REQUEST, resume=True)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(REQUEST, data=("synthetic@2",)), 'its data is ["synthetic"], you asked for'),
        (replace(REQUEST, recipe=replace(RECIPE, steps=7)), "its steps is 6, you asked for 7"),
        (replace(REQUEST, difficulty=2.0), "its difficulty is 1.0, you asked for 2.0"),
    ],
)
def test_another_run_is_named_and_kept(folder, other, said) -> None:
    with pytest.raises(UsageError) as failure:
        open_folder(folder, other, resume=True)
    assert said in str(failure.value)
    assert "--fresh" in str(failure.value)
    assert folder.last.read_bytes() == b"a checkpoint"


def test_beginning_anew_removes_what_was_made(folder) -> None:
    folder.checkpoints.mkdir()
    (folder.path / "notes.txt").write_text("mine")
    assert not open_folder(folder, replace(REQUEST, difficulty=2.0), resume=False)
    assert sorted(path.name for path in folder.path.iterdir()) == ["notes.txt", "run.json"]
    assert json.loads(folder.request.read_text())["difficulty"] == 2


def test_checkpoints_of_nobody_knows_what_are_not_replaced(tmp_path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"best\.ckpt is there already"):
        open_folder(RunFolder(tmp_path), REQUEST, resume=True)


def test_a_file_is_no_folder(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OutputError, match="is a file, or lies in one"):
            open_folder(RunFolder(path), REQUEST, resume=True)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_request_is_refused(folder, text) -> None:
    folder.request.write_text(text)
    with pytest.raises(InputError, match=r"run\.json"):
        open_folder(folder, REQUEST, resume=True)


def test_a_damaged_checkpoint_is_refused(folder) -> None:
    model = locotrack.create_model("b0-tiny", SIZE_HW)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        check_resumable(folder, model)
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder.last)
    with pytest.raises(CheckpointError, match="it lacks optimizer_states, lr_schedulers"):
        check_resumable(folder, model)
    folder.last.write_bytes(folder.last.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        check_resumable(folder, model)


def test_another_network_is_refused(folder) -> None:
    state = {"model.cost_conv.weight": torch.zeros(1)}
    rest = ("optimizer_states", "lr_schedulers", "loops", "callbacks", "global_step", "locoexport")
    torch.save({"state_dict": state} | dict.fromkeys(rest, 0), folder.last)
    with pytest.raises(CheckpointError, match="tensors differ"):
        check_resumable(folder, locotrack.create_model("b0-tiny", SIZE_HW))
