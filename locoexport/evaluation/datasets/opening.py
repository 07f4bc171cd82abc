"""What ``--dataset`` names → annotated clips, each loaded only when it is asked for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from locoexport.errors import InputError, UsageError, did_you_mean
from locoexport.evaluation.datasets.csv_annotations import index_annotations
from locoexport.evaluation.datasets.csv_clips import (
    LONGEST_PART,
    CsvClip,
    find_videos,
    videos_by_name,
)
from locoexport.evaluation.datasets.stereo import find_motorcycle, read_motorcycle
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.runtime.tracks.tapvid import TapVidClip, iterate_tapvid

__all__ = [
    "BUILT_IN",
    "SYNTHETIC_SEQUENCES",
    "ClipSource",
    "Dataset",
    "open_dataset",
    "open_datasets",
]

BUILT_IN = ("synthetic", "motorcycle")
SYNTHETIC_SEQUENCES = 24


@dataclass(frozen=True)
class ClipSource:
    """One annotated clip; ``load`` reads, decodes or generates it, and may add to ``remarks`` what
    a person should know."""

    name: str
    load: Callable[[], TapVidClip]
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dataset:
    """Annotated clips.

    ``identity`` says all that decides what is in them: names, sizes and times of files, settings of
    the generator. ``clips`` begins anew each time it is called; ``count`` is None where only
    reading the files tells. ``missing`` names annotated videos that have no file.
    """

    name: str
    identity: str
    clips: Callable[[], Iterator[ClipSource]]
    count: int | None = None
    path: Path | None = None
    missing: tuple[str, ...] = ()


def open_datasets(
    names_or_paths: Sequence[str],
    settings: SyntheticSettings | None = None,
    *,
    full_resolution: bool = False,
) -> tuple[Dataset, ...]:
    """Several datasets; see ``open_dataset``. Those of one name get as much of their paths before
    it as tells them apart.

    Raises:
        UsageError: one is named twice.
    """
    datasets = [
        open_dataset(name, settings, full_resolution=full_resolution) for name in names_or_paths
    ]
    for index, dataset in enumerate(datasets):
        for other, earlier in enumerate(datasets[:index]):
            if dataset.identity == earlier.identity:
                raise UsageError(
                    f"--dataset {names_or_paths[index]} holds the same clips as --dataset "
                    f"{names_or_paths[other]}; name each once."
                )
    return _told_apart(datasets)


def open_dataset(
    name_or_path: str, settings: SyntheticSettings | None = None, *, full_resolution: bool = False
) -> Dataset:
    """The dataset of that name, or in that file, or in all files of that folder.

    Pickles are in the layouts that TAP-Vid publishes: a dict (DAVIS, RoboTAP) or a list
    (RGB-Stacking, Kinetics). CSV files are those of TAP-Vid-Kinetics, Perception Test and RoboTAP,
    with their .mp4 files in the same folder or below it; a folder that holds pickles is read from
    these alone. Several files are taken in alphabetical order, and their clips are named
    ``FILE/CLIP``. Of pickles nothing is read yet; of CSV files every row is checked.

    Args:
        name_or_path: ``synthetic``, ``motorcycle``, a .pkl or .csv file, or a folder of such files.
        settings: of ``synthetic``; 24 frames, 64 points and 256×256 pixels by default.
        full_resolution: load videos of CSV files in their own size in place of 256×256.

    Raises:
        InputError: there is no such file, the folder holds none, a row of a CSV is broken, or none
            of its videos is there.
        PackageMissingError: ``motorcycle`` without scikit-image.
    """
    if name_or_path == "synthetic":
        settings = settings or SyntheticSettings()
        return Dataset(
            name_or_path,
            f"synthetic {settings}",
            partial(_generate, settings),
            SYNTHETIC_SEQUENCES,
        )
    if name_or_path == "motorcycle":
        identity = _describe(list(find_motorcycle()))
        return Dataset(name_or_path, identity, _motorcycle, 1)
    path = Path(name_or_path)
    files = _files(path)
    name = path.resolve().stem
    if files[0].suffix.lower() == ".csv":
        return _open_csv(path, name, files, full_resolution)
    return Dataset(name, _describe(files), partial(_read, files), path=path)


def _files(path: Path) -> list[Path]:
    """The one file, or the pickles of a folder, or its CSV files where it has no pickle."""
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise InputError(
            f"There is no dataset {str(path)!r}: expected {', '.join(BUILT_IN)}, a .pkl or .csv "
            "file of TAP-Vid or a folder of such files." + did_you_mean(str(path), BUILT_IN)
        )
    for suffix in (".pkl", ".csv"):
        files = sorted(file for file in path.iterdir() if file.suffix == suffix and file.is_file())
        if files:
            return files
    raise InputError(f"{path} holds no .pkl file of TAP-Vid, and no .csv file either.")


def _open_csv(path: Path, name: str, files: list[Path], full_resolution: bool) -> Dataset:
    places = videos_by_name(path if path.is_dir() else path.parent)
    clips: list[CsvClip] = []
    missing: list[str] = []
    for file in files:
        found, without = find_videos(file, index_annotations(file), places)
        clips += [CsvClip(file, video, place, full_resolution, []) for video, place in found]
        missing += without
    if not clips:
        raise InputError(
            f"None of the {len(missing)} videos that {path} annotates has a .mp4 file in its "
            f"folder or below: expected {missing[0]}.mp4, for instance."
        )
    identity = f"{_describe([*files, *(clip.file for clip in clips)])}; {len(missing)} missing"
    count = None if any(clip.video.frames > LONGEST_PART for clip in clips) else len(clips)
    several = len(files) > 1
    return Dataset(name, identity, partial(_play, clips, several), count, path, tuple(missing))


def _play(clips: list[CsvClip], several: bool) -> Iterator[ClipSource]:
    for clip in clips:
        for part in clip.parts():
            name = f"{clip.annotations.stem}/{part.name}" if several else part.name
            yield ClipSource(name, part.load, part.remarks)


def _told_apart(datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
    """The same, with names of their own."""
    extended = list(datasets)
    longest = (
        max(len(d.path.resolve().parts) for d in datasets if d.path)
        if any(d.path for d in datasets)
        else 0
    )
    for length in range(1, longest + 1):
        times = Counter(dataset.name for dataset in extended)
        if max(times.values()) == 1:
            break
        extended = [
            replace(dataset, name="/".join(dataset.path.resolve().parts[-length:]).lstrip("/"))
            if times[dataset.name] > 1 and dataset.path is not None
            else dataset
            for dataset in extended
        ]
    return tuple(extended)


def _generate(settings: SyntheticSettings) -> Iterator[ClipSource]:
    for index in range(SYNTHETIC_SEQUENCES):
        yield ClipSource(f"{index:03d}", partial(make_sequence, index, settings))


def _motorcycle() -> Iterator[ClipSource]:
    yield ClipSource("motorcycle", read_motorcycle)


def _read(files: list[Path]) -> Iterator[ClipSource]:
    for file in files:
        for name, load in iterate_tapvid(file):
            yield ClipSource(name if len(files) == 1 else f"{file.stem}/{name}", load)


def _describe(files: list[Path]) -> str:
    stats = [(file.resolve(), file.stat()) for file in files]
    return "; ".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)
