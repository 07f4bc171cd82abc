"""Samples from the published panning MOVi-E, as the references make them.

The files are those of ``datasets/hamacojr/LocoTrack-panning-MOVi-E`` on Hugging Face, in the layout
of TensorFlow Datasets; spec/training.md, section 1.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from locoexport.errors import InputError
from locoexport.notices import counted
from locoexport.training.data.crops import crop_frames, draw_window
from locoexport.training.data.rendered.scene import Scene, cut_scene, read_scene
from locoexport.training.data.rendered.scene_tracks import choose_pixels, follow_pixels
from locoexport.training.data.rendered.tfrecord import Record, index_records, read_example
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish

__all__ = ["MoviE", "open_movi_e"]

_FILES = "*-train.tfrecord-*"
_DEPTH = 4
"""Folders between the one named and the files: a commit's, the dataset's, its size, its version."""
_BROKEN_IN_A_ROW = 100


class MoviE:
    """Scenes in a random order, every one once before any comes again."""

    def __init__(self, folder: Path, files: tuple[Path, ...], seed: int) -> None:
        """See ``open_movi_e``."""
        self.name = f"movi-e:{folder}"
        self._seed = seed
        self._places: list[tuple[Path, Record]] = []
        self.remarks: list[str] = []
        for path in files:
            found = index_records(path)
            self._places += [(path, record) for record in found.records]
            if found.broken is not None:
                self.remarks.append(f"{path}: {found.broken}; it and what follows is left out.")

    def __len__(self) -> int:
        """Scenes, broken ones among them."""
        return len(self._places)

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        """See ``SampleSource``. A broken record is passed over, with a remark."""
        remarks: list[str] = []
        for attempt in range(min(_BROKEN_IN_A_ROW, len(self))):
            path, record = self._places[self._place(index + attempt)]
            random = np.random.default_rng([17, self._seed, index])
            try:
                where = f"{path}: the record at byte {record.offset}"
                scene = read_scene(read_example(path, record), where)
                _check_length(scene, wish.frames, where)
                return make_sample(scene, wish, random, remarks=tuple(remarks))
            except InputError as error:
                remarks.append(f"skipped: {error}")
        raise InputError(
            f"{self.name}: {counted(len(remarks), 'record')} in a row cannot be used. "
            f"The last: {remarks[-1]}"
        )

    def _place(self, index: int) -> int:
        epoch, number = divmod(index, len(self))
        return int(_order(len(self), self._seed, epoch)[number])


def open_movi_e(folder: Path, seed: int) -> MoviE:
    """The train split in a folder, or up to four folders below it.

    Raises:
        InputError: there is no such folder, or it holds no record.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: movi-e:DIR names that of panning MOVi-E.")
    files: tuple[Path, ...] = ()
    for depth in range(_DEPTH + 1):
        files = tuple(sorted(folder.glob("*/" * depth + _FILES)))
        if files:
            break
    if not files:
        raise InputError(
            f"{folder} holds no records: expected panning_movi_e-train.tfrecord-00000-of-NNNNN "
            "and so on, there or up to four folders below."
        )
    source = MoviE(folder, files, seed)
    if not len(source):
        raise InputError(f"{folder}: not one record is whole. {source.remarks[0]}")
    return source


def make_sample(
    scene: Scene,
    wish: SampleWish,
    random: np.random.Generator,
    *,
    remarks: tuple[str, ...] = (),
) -> TrainingSample:
    """A crop of the scene with points that are followed through it.

    Raises:
        InputError: no point can be drawn.
    """
    scene = cut_scene(scene, wish.frames, random)
    height, width = scene.segments.shape[1:]
    window = draw_window((height, width), random)
    pixels = choose_pixels(scene, window, wish.points, random)
    if not len(pixels):
        raise InputError(f"the scene {scene.name} has no segment that a point could be drawn from.")
    tracks = follow_pixels(scene, pixels, window)
    top, left, bottom, right = window
    scale = np.array([wish.size_hw[1] / (right - left), wish.size_hw[0] / (bottom - top)])
    queries = pixels + np.array([0, 0.5, 0.5])
    queries[:, 1:] = (queries[:, 1:] - (top, left)) * scale[::-1]
    return TrainingSample(
        video=crop_frames(scene.video, window, wish.size_hw),
        query_points_tyx=queries.astype(np.float32),
        tracks_xy=((tracks.tracks_xy - (left, top)) * scale).astype(np.float32),
        occluded=tracks.occluded,
        judged=np.ones(tracks.occluded.shape, np.bool_),
        name=scene.name,
        remarks=remarks,
    )


def _check_length(scene: Scene, frames: int, where: str) -> None:
    if len(scene.video) < frames:
        raise InputError(f"{where} has {len(scene.video)} frames; {frames} were asked for.")


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([13, seed, epoch]).permutation(count)
