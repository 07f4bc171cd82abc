"""A film of each scored clip: what the model said over what is true."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import OutputError
from locoexport.evaluation.scored_clip import ScoredClip
from locoexport.runtime.drawing.comparison import ComparedTracks, draw_comparison
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frames import scale_queries_to_model, scale_tracks_to_video
from locoexport.runtime.video.mp4 import write_mp4

__all__ = ["FilmFolder", "caption_scores", "compared_tracks", "open_film_folder", "safe_part"]

_LONGEST_PART = 80


@dataclass(frozen=True)
class FilmFolder:
    """Where films go, ``DATASET-NNNNN-VIDEO.mp4`` each; ``written`` are those of this run."""

    folder: Path
    written: set[Path] = field(default_factory=set)

    def write(
        self, dataset: str, index: int, video: str, clip: TapVidClip, found: ScoredClip
    ) -> Path:
        """The film of one clip by the first side, at 25 frames a second; returns its path.

        Of a track that was asked for several times, its first query is drawn; with the mode
        ``first`` from the query's frame on, with ``strided`` in all frames.

        Raises:
            OutputError: the file cannot be written.
        """
        path = self._free(f"{safe_part(dataset)}-{index:05d}-{safe_part(video)}")
        caption = f"{caption_scores(found)}  {dataset} {video}"
        write_mp4(
            path, draw_comparison(clip.video, compared_tracks(clip, found), caption), DEFAULT_FPS
        )
        self.written.add(path)
        return path

    def _free(self, name: str) -> Path:
        """A path of that name: names of two datasets may be alike once they are safe."""
        path, number = self.folder / f"{name}.mp4", 1
        while path in self.written:
            number += 1
            path = self.folder / f"{name}-{number}.mp4"
        return path


def open_film_folder(folder: str | Path, *, force: bool) -> FilmFolder:
    """Check before any work that films may be written there.

    Raises:
        OutputError: there is no such folder, it cannot be written to, or it holds films already
            and ``force`` is not given.
    """
    folder = Path(folder)
    if os.path.isfile(folder):
        raise OutputError(f"{folder} is a file; name a folder for the films.")
    if not os.path.isdir(folder):
        raise OutputError(f"The folder {folder} does not exist; make it first (mkdir -p {folder}).")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {folder} is not writable for this user.")
    films = sorted(name for name in os.listdir(folder) if name.lower().endswith(".mp4"))
    if films and not force:
        raise OutputError(
            f"{folder} holds films already ({films[0]}); pass --force to replace those of the same "
            "names, or name another folder."
        )
    return FilmFolder(folder)


def safe_part(name: str) -> str:
    """A part of a file's name that every system takes."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:_LONGEST_PART].lstrip(".") or "_"


def caption_scores(found: ScoredClip) -> str:
    """The first side's scores in per cent, in letters that OpenCV draws."""
    scores = found.scores[0]
    return (
        f"AJ {100 * scores.average_jaccard:.1f}  "
        f"delta {100 * scores.average_pts_within_thresh:.1f}  "
        f"OA {100 * scores.occlusion_accuracy:.1f}"
    )


def compared_tracks(clip: TapVidClip, found: ScoredClip) -> ComparedTracks:
    """The first side's answer beside the truth: the first query of each track, in the clip's own
    pixels."""
    asked = found.asked
    size_hw = (clip.video.shape[1], clip.video.shape[2])
    tracks, visible = found.answers[0]
    queries = asked["query_points"][0].astype(np.float32)
    frames = np.arange(len(clip.video))
    if "trackgroup" in asked:
        _, drawn = np.unique(asked["trackgroup"][0], return_index=True)
        shown = np.ones((len(drawn), len(frames)), np.bool_)
    else:
        drawn = np.arange(len(queries))
        shown = frames >= queries[:, :1]
    truth = asked["target_points"][0][drawn] * (np.array(size_hw[::-1]) / SCORED_HW[::-1])
    return ComparedTracks(
        scale_queries_to_model(queries[drawn], SCORED_HW, size_hw),
        truth,
        ~asked["occluded"][0][drawn].astype(bool),
        scale_tracks_to_video(tracks[0][drawn], SCORED_HW, size_hw),
        visible[0][drawn],
        shown,
    )
