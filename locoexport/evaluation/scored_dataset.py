"""The videos of one dataset through some sides, one after another, going on from the records."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.evaluation.datasets.opening import ClipSource, Dataset
from locoexport.evaluation.films import FilmFolder
from locoexport.evaluation.records import Records
from locoexport.evaluation.scored_clip import ScoredClip, score_clip
from locoexport.evaluation.scores import VideoResult, difference
from locoexport.evaluation.sides import Side
from locoexport.evaluation.track_scores import TrackTable
from locoexport.notices import Listener, Notice
from locoexport.runtime.tracks.tapvid import TapVidClip

__all__ = ["FoundScores", "Kept", "Setting", "Wishes", "score_dataset"]


@dataclass(frozen=True)
class Setting:
    """What every video needs."""

    sides: tuple[Side, ...]
    query_mode: str
    full_resolution: bool


@dataclass(frozen=True, eq=False)
class _Scored:
    """One video's figures, and what they were made of."""

    result: VideoResult
    clip: TapVidClip
    found: ScoredClip


@dataclass(eq=False)
class Kept:
    """How many results lie in the cache folder and where; None once that cannot be written."""

    folder: Path | None
    count: int = 0


@dataclass(frozen=True, eq=False)
class Wishes:
    """What a run makes beside the scores, and what it need not do again."""

    tracks: bool
    films: FilmFolder | None
    fresh: bool
    limit: int | None


@dataclass(eq=False)
class FoundScores:
    """Results of a dataset so far, and the names of videos without a visible point."""

    results: list[VideoResult]
    tables: list[TrackTable]
    skipped: list[str]
    resumed: int = 0


def score_dataset(
    clips: Dataset,
    setting: Setting,
    records: Records,
    wishes: Wishes,
    kept: Kept,
    notify: Listener,
) -> FoundScores:
    """Score every video that has no record; ``kept`` counts as it goes, also for an interrupt.

    Raises:
        InputError: a video cannot be read.
        OutputError: a film cannot be written.
        UsageError, PackageMissingError: see ``score_clip`` and the sides.
    """
    limit = wishes.limit
    total = limit if clips.count is None else min(clips.count, limit or clips.count)
    found = FoundScores([], [], [])
    for index, source in enumerate(islice(clips.clips(), limit)):
        result, figures = _on_record(index, source, records, wishes)
        if result is not None:
            found.resumed += 1
        else:
            if total is None:
                notify(Notice(f"video {index + 1}: {source.name}"))
            scored = _score(source, setting)
            if scored is not None:
                result = scored.result
                if wishes.tracks:
                    figures = scored.found.track_figures(setting.query_mode)
                if kept.folder is not None and not records.write(index, result, figures):
                    kept.folder = None
                    notify(Notice(_not_kept(records), warning=True))
                if wishes.films is not None:
                    wishes.films.write(clips.name, index, source.name, scored.clip, scored.found)
        if result is None:
            found.skipped.append(source.name)
        else:
            for remark in result.remarks:
                notify(Notice(remark, warning=True))
            found.results.append(result)
            kept.count += 1
            if figures is not None:
                names = tuple(side.name for side in setting.sides)
                found.tables.append(TrackTable(clips.name, source.name, names, figures))
        if total is not None:
            notify(Notice("videos", done=index + 1, total=total))
    if found.resumed:
        text = (
            f"{found.resumed} of {len(found.results)} videos were scored by an earlier, identical"
        )
        notify(Notice(f"{text} command (--fresh runs them again)"))
    return found


def _on_record(
    index: int, source: ClipSource, records: Records, wishes: Wishes
) -> tuple[VideoResult | None, NDArray[np.float64] | None]:
    """A video's result of an earlier command and its tracks' where they are wanted; or neither."""
    if wishes.fresh or wishes.films is not None:
        return None, None
    result = records.read(index, source.name)
    if result is None or not wishes.tracks:
        return result, None
    figures = records.read_tracks(index, result)
    return (None, None) if figures is None else (result, figures)


def _not_kept(records: Records) -> str:
    return f"{records.folder} cannot be written: an interrupted evaluation will start over."


def _score(source: ClipSource, setting: Setting) -> _Scored | None:
    """Scores of one video; None where no point of it is ever visible."""
    clip = source.load()
    scored = score_clip(
        clip,
        setting.sides,
        setting.query_mode,
        full_resolution=setting.full_resolution,
    )
    if scored is None:
        return None
    first, *others = scored.answers
    result = VideoResult(
        name=source.name,
        frames=scored.frames,
        queries=scored.queries,
        scores=scored.scores,
        seconds=scored.seconds,
        differences=tuple(difference(*first, *other) for other in others),
        remarks=tuple(source.remarks),
    )
    return _Scored(result, clip, scored)
