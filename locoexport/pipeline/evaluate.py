"""A model on annotated clips: the TAP-Vid protocol, ONNX Runtime and torch side by side."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import CheckpointError, InputError, ProfileError, UsageError
from locoexport.evaluation.datasets.opening import ClipSource, Dataset, open_dataset
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.records import Records
from locoexport.evaluation.scored_clip import score_clip
from locoexport.evaluation.scores import Difference, Scores, VideoResult, difference, mean_scores
from locoexport.evaluation.sides import GraphSide, Side, TorchSide
from locoexport.machine.reading.tar_archive import container_of
from locoexport.machine.writing.output_files import is_file, sha256_of
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.weights.sources import find_checkpoint
from locoexport.runtime.session.opening import Model, open_model
from locoexport.runtime.session.single import require_provider
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["EvalReport", "EvaluationInterrupt", "evaluate_model"]


@dataclass(frozen=True)
class EvalReport:
    """What was evaluated on what, video by video.

    ``sides`` are in the order of every video's scores: ``onnx``, and ``torch`` where it ran;
    ``absent`` says why it did not. ``resumed`` counts the videos whose results are of an earlier,
    equal command. ``skipped`` names videos without a single visible point.
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


@dataclass(frozen=True)
class _Setting:
    """What every video needs."""

    sides: tuple[Side, ...]
    query_mode: str
    full_resolution: bool


def evaluate_model(
    model: str | Path,
    dataset: str,
    *,
    query_mode: str = "first",
    provider: str = "cpu",
    checkpoint: str | Path | None = None,
    torch: bool = True,
    videos: int | None = None,
    full_resolution: bool = False,
    fresh: bool = False,
    notify: Listener = ignore,
) -> EvalReport:
    """Score a model as TAP-Vid does, one video after another.

    Each video is resized to 256×256 (Lanczos, as the published readers do), then to the working
    resolution (bilinear, as the model's own inference does); tracks are scored at 256×256.

    Args:
        model: an exported file, or a checkpoint (also hf:// and https://), which is exported into
            the cache folder.
        dataset: see ``locoexport.evaluation.datasets.opening.open_dataset``.
        query_mode: ``first`` or ``strided``; see ``locoexport.sample_queries``.
        provider: the execution provider of the ONNX side; there is no fallback.
        checkpoint: the weights of an exported file; by default found as ``verify`` finds them.
        torch: run the unrewritten PyTorch model as well, where it and the weights are at hand.
        videos: only the first that many.
        full_resolution: give the model the video's own pixels; tracks are still scored at 256×256.
        fresh: do not go on from the records of an earlier, equal command.
        notify: is told of progress, and why a side does not run.

    Raises:
        UsageError: no such query mode or provider, or a model fixed to other sizes.
        InputError: the dataset cannot be read, or holds nothing that can be scored.
        CheckpointError, ModelFileError, ProviderUnavailableError, PackageMissingError: see each.
        EvaluationInterrupt: in place of KeyboardInterrupt, where results were kept.
    """
    started = time.perf_counter()
    if videos is not None and videos < 1:
        raise UsageError(f"--videos is {videos}; expected at least 1.")
    sample_queries(np.zeros((1, 1), bool), np.zeros((1, 1, 2)), query_mode)  # refuses other modes
    require_provider(provider)
    clips = open_dataset(dataset)
    model = find_checkpoint(model, notify)
    if checkpoint is not None:
        checkpoint = find_checkpoint(checkpoint, notify)
    path = _find_model(model, notify)
    session = open_model(path, provider, cached=True)
    reference, absent = _torch_side(path, session, model, checkpoint, wanted=torch)
    if absent is not None:
        notify(Notice(absent, warning=torch))
    sides: tuple[Side, ...] = (GraphSide(session),)
    if reference is not None:
        sides = (*sides, reference)
    setting = _Setting(sides, query_mode, full_resolution)
    records = Records(_facts(path, session.metadata, clips, setting, provider))
    results, resumed, skipped = _score_all(clips, videos, setting, records, fresh, notify)
    if not results:
        raise InputError(f"{dataset} holds no video with a visible point: nothing can be scored.")
    return EvalReport(
        model=path,
        metadata=session.metadata,
        dataset=clips.name,
        query_mode=query_mode,
        full_resolution=full_resolution,
        provider=provider,
        sides=tuple(side.name for side in sides),
        absent=absent,
        videos=tuple(results),
        resumed=resumed,
        skipped=tuple(skipped),
        seconds=time.perf_counter() - started,
    )


def _score_all(
    clips: Dataset,
    limit: int | None,
    setting: _Setting,
    records: Records,
    fresh: bool,
    notify: Listener,
) -> tuple[list[VideoResult], int, list[str]]:
    """Results of every video, how many were on record, and those without a visible point."""
    total = limit if clips.count is None else min(clips.count, limit or clips.count)
    results: list[VideoResult] = []
    skipped: list[str] = []
    resumed, keeping = 0, True
    for index, source in enumerate(islice(clips.clips(), limit)):
        result = None if fresh else records.read(index, source.name)
        if result is not None:
            resumed += 1
        else:
            if total is None:
                notify(Notice(f"video {index + 1}: {source.name}"))
            try:
                result = _score(source, setting)
            except KeyboardInterrupt as stop:
                if keeping and results:
                    raise EvaluationInterrupt(_kept(len(results), records, fresh)) from stop
                raise
            if result is not None and keeping:
                keeping = _keep(index, result, records, notify)
        if result is None:
            skipped.append(source.name)
        else:
            results.append(result)
        if total is not None:
            notify(Notice("videos", done=index + 1, total=total))
    if resumed:
        text = f"{resumed} of {len(results)} videos are on record from an earlier, equal command "
        notify(Notice(text + "(--fresh runs them again)"))
    return results, resumed, skipped


def _keep(index: int, result: VideoResult, records: Records, notify: Listener) -> bool:
    """Write a result down; whether further ones can be as well."""
    if records.write(index, result):
        return True
    text = f"{records.folder} cannot be written: an interrupted evaluation will begin anew."
    notify(Notice(text, warning=True))
    return False


def _kept(count: int, records: Records, fresh: bool) -> str:
    videos = "1 video" if count == 1 else f"{count} videos"
    command = "the same command without --fresh" if fresh else "the same command"
    return (
        f"Interrupted. The results of {videos} are kept in {records.folder}; {command} goes on "
        "with the next."
    )


def _score(source: ClipSource, setting: _Setting) -> VideoResult | None:
    """Scores of one video; None where no point of it is ever visible."""
    scored = score_clip(
        source.load(),
        setting.sides,
        setting.query_mode,
        full_resolution=setting.full_resolution,
    )
    if scored is None:
        return None
    first, *others = scored.answers
    return VideoResult(
        name=source.name,
        frames=scored.frames,
        queries=scored.queries,
        scores=scored.scores,
        seconds=scored.seconds,
        differences=tuple(difference(*first, *other) for other in others),
    )


def _find_model(path: Path, notify: Listener) -> Path:
    """The exported file: the one that was named, or that of the checkpoint that was named."""
    if path.suffix == ".onnx" or find_split_files(path) is not None:
        return path
    if not is_file(container_of(path)):
        raise CheckpointError(f"There is no model or checkpoint {path}.")
    from locoexport.machine.installation import require_extra

    require_extra("export")
    from locoexport.network.loading import choose_profile
    from locoexport.pipeline.cached_export import cached_export

    return cached_export(choose_profile(None, path), notify, checkpoint=path)


def _torch_side(
    path: Path,
    session: Model,
    named: Path,
    checkpoint: str | Path | None,
    *,
    wanted: bool,
) -> tuple[Side | None, str | None]:
    """The PyTorch model of the file's own weights, or why it is not there."""
    if not wanted:
        return None, "ONNX alone, as asked (--no-torch)."
    if importlib.util.find_spec("torch") is None:
        return None, "torch is not installed: ONNX alone (pip install 'locoexport[export]')."
    from locoexport.network.loading import load_network
    from locoexport.pipeline.weights.origin import load_weights, profile_of

    profile = profile_of(session)
    if named != path:
        return TorchSide(load_network(profile, named).model), None
    try:
        network = load_weights(path, session.metadata, profile, checkpoint)
    except CheckpointError as error:
        if checkpoint is not None:
            raise
        return None, f"ONNX alone: {error}"
    except ProfileError as error:
        return None, f"ONNX alone: {error}"
    return TorchSide(network.model), None


def _facts(
    path: Path, metadata: ArtifactMetadata, clips: Dataset, setting: _Setting, provider: str
) -> Sequence[str]:
    split = find_split_files(path)
    models = [path] if split is None else list(split.values())
    return (
        *(sha256_of(file) for file in models),
        str(metadata.weights),
        clips.identity,
        provider,
        repr(replace(setting, sides=())),
        *(side.name for side in setting.sides),
    )
