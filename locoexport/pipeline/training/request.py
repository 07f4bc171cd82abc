"""What was asked of a run, kept beside what it made: only the same run goes on in a folder."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from locoexport.contract.profile import ExportProfile
from locoexport.errors import CheckpointError, InputError, OutputError, UsageError
from locoexport.machine.reading.documents import read_json
from locoexport.machine.writing.output_files import sha256_of, whole_file
from locoexport.models.locotrack import LocoTrack
from locoexport.network.checkpoint import read_checkpoint
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import PLACE

__all__ = ["RunRequest", "check_resumable", "open_folder"]

_BEGIN_ANEW = "Name another folder, or pass --fresh to begin anew in this one."
_NEEDED = (
    *("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks"),
    *("global_step", PLACE),
)


@dataclass(frozen=True)
class RunRequest:
    """All that decides the result of a run.

    ``data`` are the values of --data; ``checkpoint`` is a file, ``teacher`` what tells one
    teacher from another (``Teacher.identity``).
    """

    profile: ExportProfile
    data: tuple[str, ...]
    recipe: TrainingRecipe
    checkpoint: Path | None = None
    teacher: str | None = None
    difficulty: float = 1.0

    def describe(self) -> dict[str, Any]:
        """As JSON values, by the names that messages use; files by what they hold."""
        told = {
            "profile": self.profile.name,
            "settings": self.profile.trained.describe(),
            "data": self.data,
            "difficulty": self.difficulty,
            "from": _digest(self.checkpoint),
            "teacher": self.teacher,
            **asdict(self.recipe),
        }
        plain: dict[str, Any] = json.loads(json.dumps(told, default=dict))
        return plain


def open_folder(folder: RunFolder, request: RunRequest, *, resume: bool) -> bool:
    """Whether an equal run is to be gone on with; the folder is made, and the request kept.

    With ``resume`` False, what an earlier run left there is removed.

    Raises:
        UsageError: it holds another run.
        OutputError: it cannot be made or written to, or holds checkpoints of nobody knows what.
        InputError: its run.json is damaged.
    """
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{folder.path} is a file, or lies in one; name a folder for the run."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"Cannot make the folder {folder.path}: {reason}.") from error
    wanted = request.describe()
    if resume and folder.request.exists():
        _check_equal(folder, _read_request(folder), wanted)
        if folder.last.exists():
            return True
    elif resume:
        _check_unused(folder)
    _clear(folder)
    with whole_file(folder.request) as draft:
        draft.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    return False


def check_resumable(folder: RunFolder, model: LocoTrack) -> int:
    """See that ``last.ckpt`` is whole and of this network; returns the steps that were done.

    Raises:
        CheckpointError: it is not.
    """
    path = folder.last
    fitting = {f"model.{name}": value.shape for name, value in model.state_dict().items()}
    read_checkpoint(path)  # refuses what is damaged, or more than tensors and plain values
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.PickleError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). {_BEGIN_ANEW}") from error
    missing = [name for name in _NEEDED if name not in held]
    if missing:
        raise CheckpointError(
            f"{path} cannot be gone on from: it lacks {', '.join(missing)}, which every checkpoint "
            f"of `locoexport train` has. {_BEGIN_ANEW}"
        )
    found = {name: value.shape for name, value in held["state_dict"].items()}
    if found != fitting:
        apart = sorted(
            name for name in found.keys() | fitting.keys() if found.get(name) != fitting.get(name)
        )
        raise CheckpointError(
            f"{path} holds another network: {len(apart)} tensors differ, the first is {apart[0]}. "
            f"{_BEGIN_ANEW}"
        )
    return int(held["global_step"])


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _read_request(folder: RunFolder) -> Mapping[str, Any]:
    try:
        held = read_json(folder.request, folder.request, InputError)
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read {folder.request}: {error}. {_BEGIN_ANEW}") from error
    if not isinstance(held, dict):
        raise InputError(
            f"{folder.request} says nothing of a run; expected an object. {_BEGIN_ANEW}"
        )
    return held


def _check_equal(folder: RunFolder, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    apart = [name for name in wanted if held.get(name) != wanted[name]]
    if not apart:
        return
    differences = "; ".join(
        f"its {name.replace('_', ' ')} is {json.dumps(held.get(name))}, you asked for "
        f"{json.dumps(wanted[name])}"
        for name in apart
    )
    raise UsageError(f"{folder.path} holds another run: {differences}. {_BEGIN_ANEW}")


def _check_unused(folder: RunFolder) -> None:
    """Raises OutputError where checkpoints would be replaced that no run.json tells of."""
    for path in folder.results:
        if path.exists():
            raise OutputError(
                f"{path} is there already, and no {folder.request.name} says what run it is of. "
                f"{_BEGIN_ANEW}"
            )


def _clear(folder: RunFolder) -> None:
    """Remove what an earlier run made, so that nothing of it is taken for this one's."""
    try:
        for path in folder.results:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot begin anew in {folder.path}: {error}.") from error
