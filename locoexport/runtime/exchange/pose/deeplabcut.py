"""DeepLabCut: what it writes of an analysed video, as .h5 (pandas, PyTables) and as .csv.

Source: DeepLabCut's user guide and its own files: a row a frame, columns of three levels (scorer,
bodyparts, coords), coords being x, y and likelihood. Frames count from 0. Coordinates are those of
a viewer of images: the centre of the first pixel is (0, 0), y is down.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.machine.installation import require_packages
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import decimal, point_name
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["SCORER", "write_deeplabcut"]

SCORER = "locoexport"
_FIRST_FRAME = 0
_HALF_PIXEL = 0.5
_COORDS = ("x", "y", "likelihood")
_KEY = "df_with_missing"


def write_deeplabcut(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write .csv where the name ends so, .h5 otherwise; a point is a body part.

    Hidden points keep their places; the confidence is the likelihood, by which DeepLabCut leaves
    points out (``pcutoff``). A place that is no number is empty.

    Raises:
        PackageMissingError: .h5, and pandas or tables is not installed.
    """
    first = facts.first_frame_or(_FIRST_FRAME)
    if path.suffix.lower() == ".csv":
        _write_csv(tracks, path, first)
    else:
        _write_h5(tracks, path, first)


def _write_csv(tracks: Tracks, path: Path, first: int) -> None:
    names = [point_name(point) for point in range(tracks.points)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["scorer", *[SCORER] * 3 * len(names)])
        writer.writerow(["bodyparts", *(name for name in names for _ in _COORDS)])
        writer.writerow(["coords", *_COORDS * len(names)])
        for frame, row in enumerate(_table(tracks)):
            texts = (decimal(value) if np.isfinite(value) else "" for value in row.tolist())
            writer.writerow([first + frame, *texts])


def _write_h5(tracks: Tracks, path: Path, first: int) -> None:
    require_packages("pandas", "tables", extra="exchange")
    import pandas

    columns = pandas.MultiIndex.from_product(
        [[SCORER], [point_name(point) for point in range(tracks.points)], _COORDS],
        names=["scorer", "bodyparts", "coords"],
    )
    index = range(first, first + tracks.frames)
    frame = pandas.DataFrame(_table(tracks), index=list(index), columns=columns)
    # Pandas' fixed layout: its tables hold some hundred columns and no more.
    frame.to_hdf(path, key=_KEY, mode="w", format="fixed")


def _table(tracks: Tracks) -> NDArray[np.float64]:
    """Float64 (frames, points·3): x, y and likelihood of point after point."""
    places = tracks.xy.astype(np.float64) - _HALF_PIXEL
    table = np.concatenate([places, tracks.confidence[..., None].astype(np.float64)], axis=-1)
    return np.asarray(table.swapaxes(0, 1).reshape(tracks.frames, -1))
