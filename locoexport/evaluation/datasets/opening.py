"""What ``--dataset`` names → annotated clips, each loaded only when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from locoexport.errors import InputError
from locoexport.evaluation.datasets.stereo import find_motorcycle, read_motorcycle
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.runtime.tracking.tapvid import TapVidClip, iterate_tapvid

__all__ = ["BUILT_IN", "SYNTHETIC_SEQUENCES", "ClipSource", "Dataset", "open_dataset"]

BUILT_IN = ("synthetic", "motorcycle")
SYNTHETIC_SEQUENCES = 24


@dataclass(frozen=True)
class ClipSource:
    """One annotated clip; ``load`` reads, decodes or generates it."""

    name: str
    load: Callable[[], TapVidClip]


@dataclass(frozen=True)
class Dataset:
    """Annotated clips.

    ``identity`` says all that decides what is in them: names, sizes and times of files, settings of
    the generator. ``clips`` begins anew each time it is called; ``count`` is None where only
    reading the files tells.
    """

    name: str
    identity: str
    clips: Callable[[], Iterator[ClipSource]]
    count: int | None = None


def open_dataset(name_or_path: str, settings: SyntheticSettings | None = None) -> Dataset:
    """The dataset of that name, or in that pickle, or in all pickles of that folder.

    Files are in the layouts that TAP-Vid publishes: a dict (DAVIS, RoboTAP) or a list
    (RGB-Stacking, Kinetics); several are taken in alphabetical order, and their clips are named
    ``FILE/CLIP``. Nothing is read yet.

    Args:
        name_or_path: ``synthetic``, ``motorcycle``, a .pkl file, or a folder of .pkl files.
        settings: of ``synthetic``; 24 frames, 64 points and 256×256 pixels by default.

    Raises:
        InputError: there is no such file, or the folder holds no pickle.
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
    if os.path.isdir(path):
        files = sorted(file for file in path.iterdir() if file.suffix == ".pkl" and file.is_file())
        if not files:
            raise InputError(f"{path} holds no .pkl file of TAP-Vid.")
    elif os.path.isfile(path):
        files = [path]
    else:
        raise InputError(
            f"There is no dataset {name_or_path!r}: expected {', '.join(BUILT_IN)}, a .pkl file of "
            "TAP-Vid or a folder of such files."
        )
    return Dataset(path.resolve().stem, _describe(files), partial(_read, files))


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
