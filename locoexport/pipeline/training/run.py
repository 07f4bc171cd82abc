"""Profile, data and recipe → weights: ``locoexport train``."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from locoexport.contract.profile import ExportProfile
from locoexport.errors import StoppedError, UsageError
from locoexport.evaluation.datasets.opening import open_datasets
from locoexport.machine.interruption import ending_softly
from locoexport.machine.writing.output_files import sha256_of, whole_file
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.pipeline.training.start import make_model, open_teacher
from locoexport.training.data.opening import DataSettings, NamedData, open_sources, parse_data
from locoexport.training.fitting import FitSettings, make_trainer
from locoexport.training.overlays import OverlayWriter
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import TrackerModule
from locoexport.training.validation import Validation, load_clips
from locoexport.training.watching import Watcher

__all__ = ["TrainReport", "train_model"]

_VALIDATED_CLIPS = 6
"""Of each dataset, between steps."""


@dataclass(frozen=True)
class TrainReport:
    """What a run did.

    ``validations`` are in the order of steps; ``best_step`` names the best of them. ``stopped`` is
    True where the user ended the run before its last step.
    """

    folder: RunFolder
    profile: ExportProfile
    recipe: TrainingRecipe
    data: tuple[str, ...]
    started_from: str
    steps_done: int
    seconds: float
    validations: tuple[Validation, ...]
    stopped: bool
    warnings: tuple[str, ...]

    @property
    def best(self) -> Validation | None:
        """The validation whose checkpoint is ``best.ckpt``."""
        return max(self.validations, key=lambda found: found.pts_within, default=None)


def train_model(
    profile: ExportProfile,
    output: str | Path,
    *,
    data: Sequence[str],
    recipe: TrainingRecipe,
    settings: FitSettings | None = None,
    checkpoint: Path | None = None,
    teacher: str | Path | None = None,
    validate_on: Sequence[str] = ("synthetic",),
    workers: int = 0,
    difficulty: float = 1.0,
    resume: bool = True,
    notify: Listener = ignore,
) -> TrainReport:
    """Train the profile's network, and keep checkpoints, figures and pictures in a folder.

    An equal call goes on where an earlier one was stopped, and ends with the same weights as if it
    had not been (on the CPU, to the bit).

    Args:
        profile: variant and settings.
        output: the folder of the run; it is made where there is none.
        data: where samples come from; see ``training.data.opening``.
        recipe: every number that decides the result.
        settings: devices, and how often to validate and to save.
        checkpoint: weights to start from; None starts anew.
        teacher: weights or an exported file that answers for clips without annotations.
        validate_on: datasets of ``evaluate_model``; the best checkpoint is chosen by them.
        workers: processes that make samples ahead.
        difficulty: of generated sequences, and of the damage to clips; 1 is usual.
        resume: go on where the folder holds an equal run; False begins anew.
        notify: is told of every step and warning.

    Raises:
        UsageError: a source or a number is wrong, or the folder holds another run.
        InputError: a source or the weights cannot be read.
        TrainingFailedError: losses stopped being finite.
        StoppedError: Ctrl-C; an equal call goes on.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify = noting(warnings, notify)
    settings = settings or FitSettings()
    folder = RunFolder(Path(output))
    named = [parse_data(text) for text in data]
    request = _describe(profile, named, recipe, checkpoint, teacher, difficulty)
    going_on = _open_folder(folder, request, resume=resume)
    side = None if teacher is None else open_teacher(teacher, notify)
    prepared = DataSettings(recipe.seed, recipe.frames, folder.lessons, side, difficulty)
    sources = open_sources(named, prepared, notify)
    clips = load_clips(open_datasets(validate_on), _VALIDATED_CLIPS)
    model = make_model(profile, recipe, checkpoint)
    watcher = Watcher(folder, recipe, settings.save_every, notify)
    module = TrackerModule(
        model,
        recipe,
        sources,
        validation=clips,
        workers=workers,
        warn=lambda text: notify(Notice(text, warning=True)),
        last_checkpoint=watcher.describe_kept,
    )
    trainer = make_trainer(folder, recipe, settings, [watcher, OverlayWriter(folder)])
    with ending_softly(watcher.stop):
        trainer.fit(module, ckpt_path=folder.last if going_on else None)
    _keep_best(trainer, folder)
    report = TrainReport(
        folder=folder,
        profile=profile,
        recipe=recipe,
        data=tuple(data),
        started_from="fresh weights" if checkpoint is None else str(checkpoint),
        steps_done=trainer.global_step,
        seconds=time.perf_counter() - started,
        validations=tuple(module.validations),
        stopped=watcher.stopped,
        warnings=tuple(warnings),
    )
    if watcher.stopped:
        raise StoppedError(
            f"Stopped after step {trainer.global_step} of {recipe.steps}, which {folder.last} "
            "holds. Run the same command again to go on."
        )
    return report


def _keep_best(trainer: Trainer, folder: RunFolder) -> None:
    """``best.ckpt``: the checkpoint of the best validation, once there was one."""
    keeper = trainer.checkpoint_callback
    assert isinstance(keeper, ModelCheckpoint)
    best = Path(keeper.best_model_path)
    if keeper.best_model_path and best.is_file() and trainer.is_global_zero:
        with whole_file(folder.best) as draft:
            shutil.copyfile(best, draft)


def _open_folder(folder: RunFolder, request: dict[str, Any], *, resume: bool) -> bool:
    """Whether an equal run is to be gone on with; the folder is made and the request kept.

    Raises:
        UsageError: it holds another run.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    if resume and folder.request.is_file() and folder.last.is_file():
        before = json.loads(folder.request.read_text(encoding="utf-8"))
        apart = [name for name in request if before.get(name) != request[name]]
        if apart:
            raise UsageError(
                f"{folder.path} holds a run with another {apart[0]}: {before.get(apart[0])}; "
                f"asked for was {request[apart[0]]}. Name another folder, or pass --fresh to "
                "begin anew."
            )
        return True
    with whole_file(folder.request) as draft:
        Path(draft).write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
    return False


def _describe(
    profile: ExportProfile,
    named: Sequence[NamedData],
    recipe: TrainingRecipe,
    checkpoint: Path | None,
    teacher: str | Path | None,
    difficulty: float,
) -> dict[str, Any]:
    """All that decides the result of a run, as JSON values."""
    return {
        "profile": profile.name,
        "data": [each.text for each in named],
        "difficulty": difficulty,
        "from": None if checkpoint is None else sha256_of(checkpoint),
        "teacher": None if teacher is None else str(teacher),
        **json.loads(json.dumps(asdict(recipe))),
    }
