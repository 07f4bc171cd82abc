"""What a smaller precision costs, measured before the file is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.benchmarking.timing import settle, take_turns
from locoexport.contract.profile import SCORED_HW, ExportProfile
from locoexport.errors import CheckFailedError
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.precision_cost import PrecisionReport
from locoexport.evaluation.scored_clip import score_clip
from locoexport.evaluation.scores import Difference, Scores, mean_scores
from locoexport.evaluation.sides import GraphSide, Side
from locoexport.notices import Listener, Notice
from locoexport.pipeline.assembly.precision import describe_calibration
from locoexport.runtime.session.opening import Model, open_model
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input

__all__ = [
    "MeasuredDifference",
    "PrecisionRefusedError",
    "cost_sequences",
    "describe_sequences",
    "measure_difference",
    "measure_precision",
    "refuse_beyond_limit",
]

_SEQUENCES = 6
_TEST = SyntheticSettings(frames=24, points=64, seed=0)
_TIMED_RUNS = 5


@dataclass(frozen=True)
class MeasuredDifference:
    """How far one side is from another, and the mean scores of both."""

    difference: Difference
    scores: tuple[Scores, Scores]

    @property
    def average_jaccard_change(self) -> float:
        """In points of a hundred, positive where the second side is better."""
        before, after = self.scores
        return 100 * (after.average_jaccard - before.average_jaccard)


class PrecisionRefusedError(CheckFailedError):
    """A precision costs more than the profile allows; ``report`` says how much."""

    def __init__(self, message: str, report: PrecisionReport) -> None:
        """``report`` is the one that is beyond its limit."""
        super().__init__(message)
        self.report = report


def measure_precision(
    whole: Path, lowered: Path, profile: ExportProfile, calibrate: Sequence[Path], notify: Listener
) -> PrecisionReport:
    """What the file ``lowered`` costs and gains against ``whole``, the same in float32."""
    models = [open_model(path, "cpu") for path in (whole, lowered)]
    sides = (GraphSide(models[0]), GraphSide(models[1]))
    settings = _settings(profile.axes.frames)
    what = f"measuring the cost of {profile.precision}, sequences"
    measured = measure_difference(sides, cost_sequences(profile.axes.frames, what, notify))
    before, after = measured.scores
    ratio, latency = _compare_speed(models, profile, settings, notify)
    int8 = profile.precision == "int8"
    return PrecisionReport(
        precision=profile.precision,
        difference=measured.difference,
        average_jaccard=100 * after.average_jaccard,
        average_jaccard_change=measured.average_jaccard_change,
        pts_within_thresh=100 * after.average_pts_within_thresh,
        pts_within_thresh_change=100
        * (after.average_pts_within_thresh - before.average_pts_within_thresh),
        sequences=describe_sequences(profile.axes.frames),
        calibration=describe_calibration(profile.integer_form, calibrate),
        bytes_before=whole.stat().st_size,
        bytes_after=lowered.stat().st_size,
        latency_ratio=ratio,
        latency_ms=latency,
        provider=models[0].provider,
        limit_px=profile.precision_limits.of(profile.precision),
        limit_origin=profile.precision_limits.origin,
        limit_aj=profile.precision_limits.int8_average_jaccard if int8 else None,
        integer_form=profile.integer_form if int8 else None,
    )


def measure_difference(sides: tuple[Side, Side], clips: Iterable[TapVidClip]) -> MeasuredDifference:
    """How far the second side is from the first on annotated clips, and what that does to scores.

    Distances are over the points and frames that the first side says are visible: a hidden point is
    a guess, that rounding moves far in float32 as well. Where nothing is visible (seeded weights
    may say so) there is no distance: the pixels are NaN, which passes no limit.
    """
    results, distances, flips, compared = [], [], 0, 0
    for clip in clips:
        scored = score_clip(clip, sides, "first")
        if scored is None:  # no point of it is ever visible
            continue
        results.append(scored.scores)
        (reference, said), (answer, says) = scored.answers
        distances.append(np.sqrt(np.square(answer - reference).sum(axis=-1))[said])
        flips, compared = flips + int((said != says).sum()), compared + said.size
    pixels = np.concatenate(distances) if any(d.size for d in distances) else np.array([np.nan])
    difference = Difference(
        p50_px=float(np.quantile(pixels, 0.5)),
        p99_px=float(np.quantile(pixels, 0.99)),
        max_px=float(pixels.max()),
        flips=flips,
        compared=compared,
    )
    before, after = (mean_scores(result[side] for result in results) for side in (0, 1))
    return MeasuredDifference(difference, (before, after))


def describe_sequences(frames: int | None) -> str:
    """What ``cost_sequences`` gives, in words."""
    settings = _settings(frames)
    return f"{_SEQUENCES} synthetic of {settings.frames} frames, seed {settings.seed}"


def cost_sequences(
    frames: int | None, what: str, notify: Listener, at_most: int = 1000
) -> Iterator[TapVidClip]:
    """The generated sequences that a cost is measured on, always the same.

    Args:
        frames: what the file is fixed to.
        what: they are for; ``notify`` is told of each as a step of it.
        notify: see there.
        at_most: so many, the first ones.
    """
    count = min(_SEQUENCES, at_most)
    for index in range(count):
        notify(Notice(what, index, count))
        yield make_sequence(index, _settings(frames))
    notify(Notice(what, count, count))


def _settings(frames: int | None) -> SyntheticSettings:
    return replace(_TEST, frames=frames or _TEST.frames)


def refuse_beyond_limit(report: PrecisionReport, *, force: bool) -> None:
    """Check a report before its file is kept; ``force`` lets everything pass.

    Raises:
        PrecisionRefusedError: it costs more than the profile allows, or 8 bits are slower here than
            float32.
    """
    if force or (report.passed and report.pays):
        return
    difference = report.difference
    ending = "No file was written; --force writes it all the same."
    if not report.keeps_tracks:
        raise PrecisionRefusedError(
            f"{report.precision} moves tracks too far: 99 % of them by at most "
            f"{difference.p99_px:.3g} px of 256x256, where the profile allows "
            f"{report.limit_px:g} px ({report.limit_origin}). {ending}",
            report,
        )
    if not report.keeps_scores:
        raise PrecisionRefusedError(
            f"{report.precision} loses {-report.average_jaccard_change:.2f} points of AJ, where "
            f"the profile allows {report.limit_aj:g} ({report.limit_origin}). {ending}",
            report,
        )
    raise PrecisionRefusedError(
        f"{report.precision} is slower than float32 on this machine: {report.latency_ratio:.2f} "
        f"times as fast, in runs in turn. {ending}",
        report,
    )


class _Timed:
    """A model with inputs of its own, as ``benchmarking.timing`` runs it."""

    def __init__(
        self, model: Model, video: NDArray[np.float32], queries: NDArray[np.float32]
    ) -> None:
        self._model, self._video, self._queries = model, video, queries
        self._outputs: RawTracks | None = None

    def run(self) -> None:
        """One call."""
        self._outputs = self._model.run(self._video, self._queries)


def _compare_speed(
    models: Sequence[Model], profile: ExportProfile, settings: SyntheticSettings, notify: Listener
) -> tuple[float, float]:
    """Median of float32's time over the other's, run by run in turn; the other's milliseconds."""
    notify(Notice(f"measuring the speed of {profile.precision}"))
    clip = make_sequence(0, settings)
    video = to_model_input(clip.video, profile.working_hw)
    asked = sample_queries(clip.occluded, clip.points * SCORED_HW[0], "first")["query_points"]
    points = profile.axes.points or asked.shape[1]
    queries = scale_queries_to_model(asked, SCORED_HW, profile.working_hw)
    queries = np.resize(queries, (1, points, 3))
    timed = [_Timed(model, video, queries) for model in models]
    for contender in timed:
        settle(contender)
    seconds = np.array(take_turns(timed, _TIMED_RUNS, progress=lambda done: None))
    return float(np.median(seconds[0] / seconds[1])), float(1000 * np.median(seconds[1]))
