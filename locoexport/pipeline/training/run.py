"""Profile, data and recipe → weights: ``locoexport train``."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Trainer

from locoexport.contract.profile import ExportProfile
from locoexport.errors import OutputError
from locoexport.evaluation.datasets.opening import open_datasets
from locoexport.machine.interruption import ending_softly
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.pipeline.training.request import RunRequest, check_resumable, open_folder
from locoexport.pipeline.training.start import make_model, open_teacher
from locoexport.training.data.opening import DataSettings, open_sources, parse_data
from locoexport.training.fitting import FitSettings, is_leader, make_trainer, without_chatter
from locoexport.training.overlays import OverlayWriter
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import Surroundings, TrackerModule
from locoexport.training.validation import Validation, best_of, load_clips
from locoexport.training.watching import Watcher

__all__ = ["TrainReport", "train_model"]

_VALIDATED_CLIPS = 6
"""Of each dataset, between steps."""
_WRITES_REFUSED = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
}


@dataclass(frozen=True)
class TrainReport:
    """What a run did.

    ``validations`` are those of the whole run, in the order of steps. ``skipped`` says of
    how many parts of a source, such as records, nothing could be learned. ``leads`` is False in all
    but one of the processes that share a run: they have nothing to tell.
    """

    folder: RunFolder
    profile: ExportProfile
    recipe: TrainingRecipe
    data: tuple[str, ...]
    started_from: str
    steps_done: int
    seconds: float
    validations: tuple[Validation, ...]
    warnings: tuple[str, ...]
    skipped: tuple[tuple[str, int], ...] = ()
    leads: bool = True

    @property
    def best(self) -> Validation | None:
        """The validation whose checkpoint is ``best.ckpt``."""
        return best_of(self.validations)


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
    """Train the profile's network, and keep checkpoints and figures in a folder.

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
        OutputError: the folder cannot be written to.
        InputError: a source, the weights or what the folder holds cannot be read.
        MachineError: devices that were asked for are not there.
        TrainingFailedError: losses stopped being finite.
        StoppedError: Ctrl-C; an equal call goes on.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify = noting(warnings, notify if is_leader() else ignore)
    settings = settings or FitSettings()
    settings.check_machine()
    folder = RunFolder(Path(output))
    taught_by = None if teacher is None else open_teacher(teacher, notify)
    request = RunRequest(
        profile,
        tuple(data),
        recipe,
        checkpoint,
        None if taught_by is None else taught_by.identity,
        difficulty,
    )
    named = [parse_data(text) for text in data]
    clips = load_clips(open_datasets(validate_on), _VALIDATED_CLIPS)
    # The leader has opened the folder before it starts the others.
    going_on = open_folder(folder, request, resume=resume) if is_leader() else folder.last.exists()
    prepared = DataSettings(recipe.seed, recipe.frames, folder.lessons, taught_by, difficulty)
    sources = open_sources(named, prepared, notify)
    model = make_model(profile, recipe, checkpoint)
    first_step = check_resumable(folder, model) if going_on else 0
    watcher = Watcher(
        folder,
        steps=recipe.steps,
        validate_every=settings.validate_every,
        save_every=settings.save_every,
        notify=notify,
    )
    around = Surroundings(
        sources,
        clips,
        lambda text: notify(Notice(text, warning=True)),
        watcher.describe_kept,
        workers,
    )
    module = TrackerModule(model, recipe, around)
    with without_chatter():
        trainer = make_trainer(
            folder, recipe, settings, [watcher, OverlayWriter(folder)], first_step=first_step
        )
        _fit(trainer, module, watcher, folder, going_on=going_on)
    return TrainReport(
        folder=folder,
        profile=profile,
        recipe=recipe,
        data=tuple(data),
        started_from="fresh weights" if checkpoint is None else str(checkpoint),
        steps_done=trainer.global_step,
        seconds=time.perf_counter() - started,
        validations=tuple(module.validations),
        warnings=tuple(warnings),
        skipped=tuple(module.skipped.by_source.items()),
        leads=trainer.is_global_zero,
    )


def _fit(
    trainer: Trainer,
    module: TrackerModule,
    watcher: Watcher,
    folder: RunFolder,
    *,
    going_on: bool,
) -> None:
    try:
        with ending_softly(watcher.stop):
            trainer.fit(module, ckpt_path=folder.last if going_on else None, weights_only=True)
    except SystemExit as end:
        # Lightning makes one of a second Ctrl-C, with the code of an error.
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from end
        raise
    except OSError as error:
        if error.errno not in _WRITES_REFUSED:
            raise
        # Sources tell of their own files by InputError: what is left is written.
        raise OutputError(
            f"Cannot write in {folder.path}: {error.strerror}. {watcher.describe_kept()}"
        ) from error
