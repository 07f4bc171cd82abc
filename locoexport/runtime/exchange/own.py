"""Our own files of tracks, .npz, .json and .csv, as formats among the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.tracks.tracks import Tracks, read_tracks, write_tracks

__all__ = ["read_own", "write_own"]


def read_own(path: Path, facts: ClipFacts) -> Tracks:
    """Tracks from a .npz, .json or .csv that ``track`` wrote; ``facts.fps`` goes before its rate.

    Raises:
        InputError: as ``read_tracks``.
    """
    return read_tracks(path, fps=facts.fps)


def write_own(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write what ``write_tracks`` writes, with the frame rate of ``facts`` where one is known."""
    write_tracks(path, tracks if facts.fps is None else replace(tracks, fps=facts.fps))
