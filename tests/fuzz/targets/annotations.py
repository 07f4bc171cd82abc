"""Annotated points as .csv beside videos."""

from pathlib import Path

from locoexport.evaluation.datasets.csv_annotations import index_annotations, read_annotations

SUFFIX = ".csv"


def read(path: Path) -> None:
    """What ``eval --dataset`` does with it before a video is opened."""
    for video in index_annotations(path):
        read_annotations(path, video)
