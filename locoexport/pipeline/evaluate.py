"""A model on annotated clips: the TAP-Vid protocol, ONNX Runtime and torch side by side."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.errors import CheckpointError, InputError, ProfileError, UsageError, did_you_mean
from locoexport.evaluation.datasets.opening import Dataset, open_datasets
from locoexport.evaluation.films import open_film_folder
from locoexport.evaluation.live_sides import LiveSide, LiveTorchSide
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.records import Records
from locoexport.evaluation.scored_dataset import Kept, Setting, Wishes, score_dataset
from locoexport.evaluation.scores import Difference, Scores, VideoResult, mean_scores
from locoexport.evaluation.sides import GraphSide, Side, TorchSide
from locoexport.evaluation.track_scores import check_track_file, write_track_file
from locoexport.machine.reading.tar_archive import container_of
from locoexport.machine.writing.output_files import check_apart, is_file
from locoexport.notices import Listener, Notice, counted, ignore, noting
from locoexport.pipeline.model_choice import find_profile_model, names_profile
from locoexport.pipeline.weights.published import PUBLISHED, find_weights
from locoexport.pipeline.weights.sources import find_checkpoint
from locoexport.runtime.live.session import LiveSession, open_live
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.runtime.session.opening import Model, open_model
from locoexport.runtime.session.provider_options import ChosenBy
from locoexport.runtime.session.single import require_provider
from locoexport.runtime.session.split_files import find_split_files, is_live_export

if TYPE_CHECKING:
    from locoexport.network.loading import Network

__all__ = ["EvalReport", "EvaluationInterrupt", "evaluate_datasets", "evaluate_model"]

_NAMED = 5
"""Videos that a warning names."""


@dataclass(frozen=True)
class EvalReport:
    """What was evaluated on what, video by video.

    ``sides`` are in the order of every video's scores: ``onnx``, and ``torch`` where it ran;
    ``absent`` says why it did not. ``live`` is how many frames each answer looked at, None where
    the whole clip went through the model at once. ``resumed`` counts the videos whose results are
    of an earlier, equal command. ``chosen_by`` says who chose ``provider``. ``skipped`` names
    videos without a single visible point, ``missing`` annotated videos that have no file;
    ``warnings`` were told on the way.
    """

    model: Path
    metadata: ArtifactMetadata
    dataset: str
    query_mode: str
    full_resolution: bool
    provider: str
    sides: tuple[str, ...]
    absent: str | None
    videos: tuple[VideoResult, ...]
    resumed: int
    skipped: tuple[str, ...]
    seconds: float
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    live: int | None = None
    chosen_by: ChosenBy = "default"

    @property
    def unscored(self) -> tuple[str, ...]:
        """Videos that lack a figure of some side, and so are not in its mean: they have points, but
        none is visible in a frame that is scored, or no frame is scored."""
        return tuple(video.name for video in self.videos if video.unscored)

    def mean(self, side: str) -> Scores:
        """The simple mean over videos of one side."""
        index = self.sides.index(side)
        return mean_scores(video.scores[index] for video in self.videos)

    @property
    def worst_difference(self) -> Difference | None:
        """Torch against ONNX: largest p50, p99 and maximum of any video, flips in all."""
        pairs = [pair for video in self.videos for pair in video.differences]
        if not pairs:
            return None
        return Difference(
            max(pair.p50_px for pair in pairs),
            max(pair.p99_px for pair in pairs),
            max(pair.max_px for pair in pairs),
            sum(pair.flips for pair in pairs),
            sum(pair.compared for pair in pairs),
        )


class EvaluationInterrupt(KeyboardInterrupt):
    """Ctrl-C once videos were scored, and their results kept: an equal call goes on from there."""


def evaluate_model(
    model: str | Path,
    dataset: str,
    *,
    query_mode: str = "first",
    provider: str | None = None,
    checkpoint: str | Path | None = None,
    torch: bool = True,
    videos: int | None = None,
    full_resolution: bool = False,
    fresh: bool = False,
    notify: Listener = ignore,
) -> EvalReport:
    """Score a model on one dataset; see ``evaluate_datasets``."""
    (report,) = evaluate_datasets(
        model,
        [dataset],
        query_mode=query_mode,
        provider=provider,
        checkpoint=checkpoint,
        torch=torch,
        videos=videos,
        full_resolution=full_resolution,
        fresh=fresh,
        notify=notify,
    )
    return report


def evaluate_datasets(
    model: str | Path,
    datasets: Sequence[str],
    *,
    query_mode: str = "first",
    provider: str | None = None,
    checkpoint: str | Path | None = None,
    torch: bool = True,
    videos: int | None = None,
    full_resolution: bool = False,
    fresh: bool = False,
    track_file: str | Path | None = None,
    film_folder: str | Path | None = None,
    force: bool = False,
    live: Sequence[int] | None = None,
    notify: Listener = ignore,
) -> tuple[EvalReport, ...]:
    """Score a model as TAP-Vid does, one video after another.

    Each video is resized to 256×256 (Lanczos, as the published readers do), then to the working
    resolution (bilinear, as the model's own inference does); tracks are scored at 256×256.

    Args:
        model: an exported file, or a checkpoint (also hf:// and https://), which is exported into
            the cache folder; with ``live`` a live export.
        datasets: see ``locoexport.evaluation.datasets.opening.open_dataset``; a report each.
        query_mode: ``first`` or ``strided``; see ``locoexport.sample_queries``.
        provider: the execution provider of the ONNX side, on which there is no fallback; None is
            the file's own choice (``locoexport tune`` makes one), which falls back to the CPU, else
            the CPU. Of a live export None is the CPU.
        checkpoint: the weights of an exported file, or ``published`` for those that its profile
            names; by default found as ``verify`` finds them.
        torch: run the unrewritten PyTorch model as well, if torch and the weights are there.
        videos: only the first that many of each dataset.
        full_resolution: give the model the video's own pixels; tracks are still scored at 256×256.
        fresh: do not go on from the records of an earlier, equal command.
        track_file: a .csv or .json of the scores of every query.
        film_folder: a folder for a film of every video; all videos are tracked again for it.
        force: replace ``track_file``, and films in ``film_folder``.
        live: answer each frame from itself and the past alone, once for each of these numbers of
            frames that are looked at; a report each.
        notify: is told of progress, and why a side does not run.

    Raises:
        UsageError: no such query mode or provider, a model of other sizes, or a dataset twice; of
            ``live`` a model that is not, a window that it has not, or the mode ``strided``.
        InputError: a dataset cannot be read, or holds nothing that can be scored.
        OutputError: a file cannot be written.
        CheckpointError: the weights cannot be read, or are not those in the file.
        ModelFileError: the file cannot be read or is not ours.
        ProviderUnavailableError: the provider cannot be used here.
        PackageMissingError: a package is missing, such as torch for a checkpoint.
        EvaluationInterrupt: in place of KeyboardInterrupt, where results were kept.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify = noting(warnings, notify)
    if videos is not None and videos < 1:
        raise UsageError(f"--videos is {videos}; expected at least 1.")
    if not datasets:
        raise UsageError("There is no dataset; name at least one.")
    if live:
        _check_live(live, query_mode, one_alone=(track_file, film_folder))
    sample_queries(np.zeros((1, 1), bool), np.zeros((1, 1, 2)), query_mode)  # refuses other modes
    if provider is not None:
        require_provider(provider)
    read = (("the model", model), *(("the dataset", dataset) for dataset in datasets))
    check_apart([("the scores of tracks", track_file)], read)
    table = None if track_file is None else check_track_file(track_file, force=force)
    films = None if film_folder is None else open_film_folder(film_folder, force=force)
    opened = open_datasets(datasets, full_resolution=full_resolution)
    model = find_checkpoint(model, notify)
    if checkpoint is not None and checkpoint != PUBLISHED:
        checkpoint = find_checkpoint(checkpoint, notify)
    path = _find_model(model, live, notify)
    if names_profile(model):
        model = path  # whose weights are found like those of any exported file
    session = _open(path, provider, notify, live=bool(live))
    if checkpoint == PUBLISHED:
        checkpoint = find_weights(PUBLISHED, _named_profile(session.metadata), notify)
    reference, absent = _reference(path, session, model, checkpoint, wanted=torch)
    if absent is not None:
        notify(Notice(absent, warning=torch))
    wishes = Wishes(table is not None, films, fresh, videos)
    reports, tables = [], []
    kept, of_all = Kept(None), len(warnings)
    runs = ((*side, clips) for side in _sides(session, reference, live) for clips in opened)
    for window, sides, clips in runs:
        setting = Setting(sides, query_mode, full_resolution)
        if clips.missing:
            notify(Notice(_missing(clips), warning=True))
        records = Records(_facts(session, clips, setting, window))
        alone = len(opened) == 1 and len(live or ()) <= 1
        kept.folder = records.folder if alone else records.folder.parent
        with _kept_told(kept, fresh):
            found = score_dataset(clips, setting, records, wishes, kept, notify)
        if not found.results:
            raise InputError(
                f"{clips.name} holds no video with a visible point: nothing can be scored."
            )
        tables += found.tables
        reports.append(
            EvalReport(
                model=path,
                metadata=session.metadata,
                dataset=clips.name,
                query_mode=query_mode,
                full_resolution=full_resolution,
                provider=session.provider,
                chosen_by=_chosen_by(session, provider),
                sides=tuple(side.name for side in sides),
                absent=absent,
                videos=tuple(found.results),
                resumed=found.resumed,
                skipped=tuple(found.skipped),
                seconds=time.perf_counter() - started,
                missing=clips.missing,
                warnings=tuple(warnings),
                live=window,
            )
        )
        del warnings[of_all:]
        started = time.perf_counter()
    if table is not None:
        write_track_file(table, tables)
    return tuple(reports)


def _open(path: Path, provider: str | None, notify: Listener, *, live: bool) -> Model | LiveSession:
    if live:
        return open_live(path, provider or "cpu", cached=True)
    session = open_model(path, provider, cached=True)
    if session.choice.warning:
        notify(Notice(session.choice.warning, warning=True))
    return session


def _chosen_by(session: Model | LiveSession, provider: str | None) -> ChosenBy:
    if isinstance(session, LiveSession):
        return "default" if provider is None else "user"
    return session.choice.chosen_by


def _missing(clips: Dataset) -> str:
    count = len(clips.missing)
    names = ", ".join(clips.missing[:_NAMED])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    which = "1 annotated video has" if count == 1 else f"{count} annotated videos have"
    left = "was" if count == 1 else "were"
    return f"{clips.name}: {which} no .mp4 file and {left} left out: {names}{more}."


@contextmanager
def _kept_told(kept: Kept, fresh: bool) -> Iterator[None]:
    """Ctrl-C says how many results are kept, where there are any."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if kept.folder is None or not kept.count:
            raise
        videos = counted(kept.count, "video")
        command = "the same command without --fresh" if fresh else "the same command"
        raise EvaluationInterrupt(
            f"Interrupted. The results of {videos} are kept in {kept.folder}; {command} goes on "
            "with the next."
        ) from stop


def _check_live(
    live: Sequence[int], query_mode: str, one_alone: Sequence[str | Path | None]
) -> None:
    """Refuse what cannot be answered live, and what has no place for several windows."""
    if query_mode != "first":
        raise UsageError(
            f"--query-mode {query_mode} scores frames before the one in which a point is asked "
            "for, which a live export cannot answer; leave it out."
        )
    if len(live) > 1 and any(each is not None for each in one_alone):
        raise UsageError("--per-track and --film are of one window; give --live one number.")


def _find_model(path: Path, live: Sequence[int] | None, notify: Listener) -> Path:
    """The exported file: the one that was named, or that of the checkpoint or profile."""
    if names_profile(path):
        return find_profile_model(str(path), notify, live=bool(live))
    if not live and is_live_export(path):
        raise UsageError(f"{path} is a live export: say how many frames it looks at (--live 8).")
    if live:
        return path
    if path.suffix == ".onnx" or find_split_files(path) is not None:
        return path
    if not is_file(container_of(path)):
        raise CheckpointError(
            f"There is no model or checkpoint {path}.{did_you_mean(str(path), profile_names())}"
        )
    from locoexport.machine.installation import require_extra

    require_extra("export")
    from locoexport.network.loading import choose_profile
    from locoexport.pipeline.cached_export import cached_export

    return cached_export(choose_profile(None, path), notify, checkpoint=path)


def _named_profile(metadata: ArtifactMetadata) -> ExportProfile:
    """The profile that a file names, or its variant's where that was a user's own."""
    known = metadata.profile in profile_names()
    return load_profile(metadata.profile if known else metadata.variant)


def _sides(
    session: Model | LiveSession, network: Network | None, live: Sequence[int] | None
) -> Iterator[tuple[int | None, tuple[Side, ...]]]:
    """The file and the PyTorch model, for each live window, or on whole clips."""
    if not isinstance(session, LiveSession):
        from_frames = session.signature.input_type == "uint8"
        graph = GraphSide(session)
        if network is None:
            yield None, (graph,)
        else:
            yield None, (graph, TorchSide(network.model, from_frames=from_frames))
        return
    for window in live or ():
        with LiveTracker(session.path, session.provider, window) as tracker:
            if network is None:
                yield window, (LiveSide(tracker),)
            else:
                yield window, (LiveSide(tracker), LiveTorchSide(network.model, window))


def _reference(
    path: Path,
    session: Model | LiveSession,
    named: Path,
    checkpoint: str | Path | None,
    *,
    wanted: bool,
) -> tuple[Network | None, str | None]:
    """The network of the file's own weights, or why it is not there."""
    if not wanted:
        return None, "Only the ONNX file was scored (--no-torch)."
    if importlib.util.find_spec("torch") is None:
        only = "torch is not installed, so only the ONNX file was scored"
        return None, f"{only} (pip install 'locoexport[export]')."
    from locoexport.network.loading import load_network
    from locoexport.pipeline.weights.origin import load_weights, profile_of

    profile = profile_of(session)
    if named != path:
        return load_network(profile, named), None
    try:
        return load_weights(path, session.metadata, profile, checkpoint), None
    except CheckpointError as error:
        if checkpoint is not None:
            raise
        return None, f"Only the ONNX file was scored: {error}"
    except ProfileError as error:
        return None, f"Only the ONNX file was scored: {error}"


def _facts(
    session: Model | LiveSession, clips: Dataset, setting: Setting, window: int | None
) -> Sequence[str]:
    return (
        *session.files_sha256.values(),
        str(session.metadata.weights),
        clips.identity,
        session.provider,
        repr(replace(setting, sides=())),
        f"live {window}",
        *(side.name for side in setting.sides),
    )
