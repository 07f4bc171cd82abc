"""Scores on annotated clips between steps, as ``locoexport eval`` computes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from torch import nn
from torch.utils.data import DataLoader

from locoexport.errors import InputError
from locoexport.evaluation.datasets.opening import ClipSource
from locoexport.evaluation.datasets.opening import Dataset as AnnotatedClips
from locoexport.evaluation.scored_clip import ScoredClip, score_clip
from locoexport.evaluation.scores import Scores, mean_scores
from locoexport.evaluation.sides import TorchSide
from locoexport.models.locotrack import LocoTrack
from locoexport.runtime.tracks.tapvid import TapVidClip

__all__ = [
    "WATCHED",
    "NamedClip",
    "ValidatedClip",
    "Validation",
    "best_of",
    "load_clips",
    "sum_up",
    "validate_clip",
]

WATCHED = "val/average_pts_within_thresh"
"""δ_avg by the published code's name for it."""

_QUERY_MODE = "first"


@dataclass(frozen=True)
class NamedClip:
    """A clip to validate on, loaded only then, and the dataset that it belongs to."""

    dataset: str
    source: ClipSource


@dataclass(frozen=True, eq=False)
class ValidatedClip:
    """A clip that was scored, kept for a picture."""

    dataset: str
    name: str
    clip: TapVidClip
    found: ScoredClip


@dataclass(frozen=True)
class Validation:
    """What one validation found after ``step`` steps: the mean of each dataset, in their order."""

    step: int
    scores: tuple[tuple[str, Scores], ...]

    @property
    def pts_within(self) -> float:
        """δ_avg, 0 to 1, the mean over datasets: what the best checkpoint is chosen by."""
        return sum(s.average_pts_within_thresh for _, s in self.scores) / len(self.scores)


def load_clips(datasets: Sequence[AnnotatedClips], most: int | None) -> DataLoader[NamedClip]:
    """The first ``most`` clips of each dataset, one by one; all where ``most`` is None.

    Raises:
        InputError: there are none.
    """
    clips = [
        NamedClip(dataset.name, source)
        for dataset in datasets
        for source in islice(dataset.clips(), most)
    ]
    if not clips:
        names = ", ".join(dataset.name for dataset in datasets)
        raise InputError(f"There is no clip to validate on in {names or 'what --validate names'}.")
    # A list has all that a map-style dataset needs, which torch's annotation does not say.
    return DataLoader(clips, batch_size=None)  # type: ignore[arg-type]


def validate_clip(model: LocoTrack, named: NamedClip) -> ValidatedClip | None:
    """Score ``model`` on one clip; None where no point of it is ever visible.

    Raises:
        InputError: the clip cannot be read.
    """
    clip = named.source.load()
    with _evaluating(model):
        found = score_clip(clip, [TorchSide(model)], _QUERY_MODE)
    return None if found is None else ValidatedClip(named.dataset, named.source.name, clip, found)


def sum_up(step: int, clips: Sequence[ValidatedClip]) -> Validation:
    """The means over the clips of each dataset.

    Raises:
        InputError: there are none, since no point was ever visible.
    """
    datasets = dict.fromkeys(clip.dataset for clip in clips)
    if not datasets:
        raise InputError(
            "No clip to validate on has a visible point, so that no checkpoint can be called the "
            "best. Name another dataset with --validate."
        )
    return Validation(
        step,
        tuple(
            (name, mean_scores(clip.found.scores[0] for clip in clips if clip.dataset == name))
            for name in datasets
        ),
    )


def best_of(validations: Sequence[Validation]) -> Validation | None:
    """The one of the highest δ_avg, of equal ones the first; None where there is none."""
    counted = [found for found in validations if not math.isnan(found.pts_within)]
    return max(counted, key=lambda found: found.pts_within, default=None)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode; afterwards each module is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
