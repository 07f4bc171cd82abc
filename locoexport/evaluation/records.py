"""Results of single videos, kept in the cache folder: an evaluation goes on where it stopped.

A record belongs to everything that decides its figures: model and weights by SHA-256, dataset,
query mode, provider, versions and the sources of this package. Whatever changes, the old records
are simply not found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, OutputError
from locoexport.evaluation.scores import VideoResult
from locoexport.evaluation.track_scores import COLUMNS
from locoexport.machine.installation import cache_path, installed_version, package_sources
from locoexport.machine.limits import RECORD_BYTES
from locoexport.machine.reading.arrays import load_array
from locoexport.machine.reading.documents import read_json
from locoexport.machine.writing.output_files import whole_file

__all__ = ["Records"]

_TOOLS = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python", "pillow", "torch")


class Records:
    """The records of one evaluation; where the cache cannot be written there are none."""

    def __init__(self, facts: Sequence[str]) -> None:
        """``facts`` are the texts that decide the figures, besides versions and sources."""
        digest = hashlib.sha256()
        tools = [f"{name} {installed_version(name)}" for name in _TOOLS]
        digest.update(json.dumps([*facts, *tools]).encode())
        for source in package_sources():
            digest.update(source.read_bytes())
        self._key = digest.hexdigest()[:20]
        self.folder = cache_path() / "eval" / self._key

    def read(self, index: int, name: str) -> VideoResult | None:
        """The record of that video; None where there is none that can be read."""
        try:
            document = read_json(self._path(index), limit=RECORD_BYTES)
            result = VideoResult.from_document(document)
        except (OSError, InputError, ValueError, KeyError, TypeError):
            return None
        return result if result.name == name else None

    def read_tracks(self, index: int, result: VideoResult) -> NDArray[np.float64] | None:
        """The figures of its single queries (``score_tracks``); None where they were not kept."""
        shape = (len(result.scores), result.queries, len(COLUMNS))
        try:
            figures = load_array(self._tracks_path(index))
        except (OSError, InputError, ValueError):
            return None
        return figures if figures.dtype == np.float64 and figures.shape == shape else None

    def write(
        self, index: int, result: VideoResult, tracks: NDArray[np.float64] | None = None
    ) -> bool:
        """Keep a record; False where the cache folder cannot be written."""
        text = json.dumps(result.to_document())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if tracks is not None:
                with whole_file(self._tracks_path(index)) as temporary:
                    np.save(temporary, tracks)
            with whole_file(self._path(index)) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except (OSError, OutputError):
            return False
        return True

    def _tracks_path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.tracks.npy"

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.json"
