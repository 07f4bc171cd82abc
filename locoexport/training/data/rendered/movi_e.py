"""Samples from the published panning MOVi-E, as the references make them.

The files are those of ``datasets/hamacojr/LocoTrack-panning-MOVi-E`` on Hugging Face, in the layout
of TensorFlow Datasets; spec/training.md, section 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.notices import counted
from locoexport.training.data.crops import crop_frames, draw_window
from locoexport.training.data.rendered.scene import SCENE_KEYS, Scene, count_frames, read_scene
from locoexport.training.data.rendered.scene_tracks import choose_pixels, follow_pixels
from locoexport.training.data.rendered.tfrecord import (
    Record,
    RecordFile,
    index_records,
    read_example,
)
from locoexport.training.data.samples import Skipped, TrainingSample
from locoexport.training.data.source import SampleWish

__all__ = ["MoviE", "make_sample", "open_movi_e"]

_FILES = "*-train.tfrecord-*"
_NUMBERED = re.compile(r"-of-0*(\d{1,9})$")
_DEPTH = 5
"""Folders between the one named and the files: at most a hub's snapshots, a commit's, the
dataset's, its size's and its version's."""
_BROKEN_IN_A_ROW = 100
_AT_ONCE = 8
"""Files that are indexed at a time: on a network's disk each seek waits."""


class MoviE:
    """Scenes in a random order, every one once before any comes again."""

    def __init__(self, name: str, files: Sequence[RecordFile], seed: int) -> None:
        """See ``open_movi_e``."""
        self.name = name
        self._seed = seed
        self._places = [(file.path, record) for file in files for record in file.records]
        self.skipped = tuple(
            Skipped(name, f"{file.path}: {file.broken}; what follows in it is left out.")
            for file in files
            if file.broken is not None
        )
        """Files that are broken somewhere, found when they were opened."""
        self.remarks = (*(each.text for each in self.skipped), *_describe_missing(files))
        """What a person should know of the folder."""

    def __len__(self) -> int:
        """Scenes; some may prove to be broken."""
        return len(self._places)

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        """See ``SampleSource``. A broken record is passed over for the next one of the order."""
        skipped: list[Skipped] = []
        for attempt in range(min(_BROKEN_IN_A_ROW, len(self))):
            path, record = self._places[self._place(index + attempt)]
            random = np.random.default_rng([17, self._seed, index])
            try:
                return _read_sample(path, record, wish, random, tuple(skipped))
            except InputError as error:
                where = f"{path}: record {record.number} (at byte {record.offset})"
                skipped.append(Skipped(self.name, f"{where}: {error}"))
        raise InputError(
            f"{self.name}: {counted(len(skipped), 'record')} in a row cannot be used. "
            f"The last: {skipped[-1].text}"
        )

    def _place(self, index: int) -> int:
        epoch, number = divmod(index, len(self))
        return int(_order(len(self), self._seed, epoch)[number])


def open_movi_e(folder: Path, seed: int) -> MoviE:
    """The train split in a folder, or up to five folders below it; no scene is read yet.

    Raises:
        InputError: there is no such folder, it holds no record or those of several data sets.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: movi-e:DIR names that of panning MOVi-E.")
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        files = list(threads.map(index_records, _find_files(folder)))
    source = MoviE(f"movi-e:{folder}", files, seed)
    if not len(source):
        why = source.skipped[0].text if source.skipped else "Its files are empty."
        raise InputError(f"{folder}: not one record is whole. {why}")
    return source


def make_sample(scene: Scene, wish: SampleWish, random: np.random.Generator) -> TrainingSample:
    """A crop of the scene with points that are followed through it.

    Raises:
        InputError: no point can be drawn, or a frame cannot be decoded.
    """
    height, width = scene.segments.shape[1:]
    window = draw_window((height, width), random)
    pixels = choose_pixels(scene, window, wish.points, random)
    if not len(pixels):
        raise InputError("no segment is large enough to draw a point from.")
    tracks = follow_pixels(scene, pixels, window)
    top, left, bottom, right = window
    scale = np.array([wish.size_hw[1] / (right - left), wish.size_hw[0] / (bottom - top)])
    queries = pixels + np.array([0, 0.5, 0.5])
    queries[:, 1:] = (queries[:, 1:] - (top, left)) * scale[::-1]
    return TrainingSample(
        video=crop_frames(scene.video, window, wish.size_hw, half_pixel_centres=False),
        query_points_tyx=queries.astype(np.float32),
        tracks_xy=((tracks.tracks_xy - (left, top)) * scale).astype(np.float32),
        occluded=tracks.occluded,
        judged=np.ones(tracks.occluded.shape, np.bool_),
        name=scene.name,
    )


def _read_sample(
    path: Path,
    record: Record,
    wish: SampleWish,
    random: np.random.Generator,
    skipped: tuple[Skipped, ...],
) -> TrainingSample:
    """So many frames in a row of the record as are wished for."""
    example = read_example(path, record, SCENE_KEYS)
    surplus = count_frames(example) - wish.frames
    if surplus < 0:
        found = counted(count_frames(example), "frame")
        raise InputError(f"it has {found}, and {wish.frames} were asked for.")
    start = int(random.integers(0, surplus + 1))
    scene = read_scene(example, slice(start, start + wish.frames))
    name = f"{path.name}, record {record.number}" + (f" ({scene.name})" if scene.name else "")
    return replace(make_sample(scene, wish, random), name=name, skipped=skipped)


def _find_files(folder: Path) -> list[Path]:
    for depth in range(_DEPTH + 1):
        files = sorted(folder.glob("*/" * depth + _FILES))
        homes = sorted({path.parent for path in files})
        if len(homes) > 1:
            raise InputError(
                f"{folder} holds records in {counted(len(homes), 'folder')}: {homes[0]}, "
                f"{homes[1]}. Name one of them."
            )
        if files:
            return files
    raise InputError(
        f"{folder} holds no records: expected panning_movi_e-train.tfrecord-00000-of-NNNNN and so "
        f"on, there or up to {_DEPTH} folders below."
    )


def _describe_missing(files: Sequence[RecordFile]) -> tuple[str, ...]:
    """A data set may be fetched in part; that is said, lest it happened by accident."""
    numbered = _NUMBERED.search(files[0].path.name)
    if numbered is None or int(numbered[1]) <= len(files):
        return ()
    folder = files[0].path.parent
    return (f"{folder} holds {len(files)} of the {int(numbered[1])} files of its data set.",)


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([13, seed, epoch]).permutation(count)
