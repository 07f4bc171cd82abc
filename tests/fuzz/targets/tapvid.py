"""Annotated clips in a pickle."""

from pathlib import Path

from locoexport.evaluation.datasets.opening import open_dataset
from locoexport.evaluation.metrics import sample_queries

SUFFIX = ".pkl"


def read(path: Path) -> None:
    """What ``eval --dataset`` does with it before a model runs."""
    for source in open_dataset(str(path)).clips():
        clip = source.load()
        sample_queries(clip.occluded, clip.points, "first")
