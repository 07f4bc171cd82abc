"""Finished trials in the work folder, one file each, so that a second run goes on after them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from locoexport.errors import InputError
from locoexport.machine.reading.documents import read_json
from locoexport.machine.writing.documents import finite
from locoexport.machine.writing.output_files import whole_file
from locoexport.pipeline.tuning.candidates import Candidate
from locoexport.pipeline.tuning.report import TrackError, Trial

__all__ = ["Records"]

_Kept = TypeVar("_Kept")


class Records:
    """What is known of candidates. A damaged record is no record: it is measured again."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        """``folder`` is there; without ``resume`` what lies in it is measured again."""
        self._folder = folder
        self._fresh: set[Path] | None = None if resume else set()

    def trial(self, candidate: Candidate, rounds: int) -> Trial | None:
        """A trial of so many rounds; one that failed counts for any."""
        return self._read(self._file("trial", candidate, rounds), candidate, _trial)

    def keep_trial(self, trial: Trial, rounds: int) -> None:
        """Keep a finished trial; raises OutputError where it cannot be written."""
        values = asdict(trial)
        del values["candidate"]
        self._write(self._file("trial", trial.candidate, rounds), trial.candidate, values)

    def error(self, candidate: Candidate) -> TrackError | None:
        """How far its tracks are off."""
        return self._read(self._file("error", candidate, 0), candidate, _error)

    def keep_error(self, candidate: Candidate, error: TrackError) -> None:
        """Keep it; raises OutputError where it cannot be written."""
        self._write(self._file("error", candidate, 0), candidate, asdict(error))

    def _file(self, kind: str, candidate: Candidate, rounds: int) -> Path:
        name = hashlib.sha256(repr((candidate, rounds)).encode()).hexdigest()[:16]
        return self._folder / f"{kind}-{name}.json"

    def _read(
        self,
        file: Path,
        candidate: Candidate,
        parse: Callable[[Candidate, Mapping[str, Any]], _Kept],
    ) -> _Kept | None:
        if self._fresh is not None and file not in self._fresh:
            return None
        try:
            document = read_json(file, str(file))
            if document["candidate"] != candidate.name:
                return None
            return parse(candidate, document)
        except (OSError, InputError, KeyError, TypeError, ValueError):
            return None

    def _write(self, file: Path, candidate: Candidate, values: Mapping[str, Any]) -> None:
        document = {"candidate": candidate.name, **values}
        with whole_file(file) as draft:
            draft.write_text(json.dumps(finite(document), allow_nan=False), encoding="utf-8")
        if self._fresh is not None:
            self._fresh.add(file)


def _trial(candidate: Candidate, document: Mapping[str, Any]) -> Trial:
    size, error = document["size_bytes"], document["error"]
    trial = Trial(
        candidate,
        None if size is None else int(size),
        _seconds(document["seconds"]),
        _seconds(document["reference_seconds"]),
        float(document["others_share"]),
        None if error is None else _error(candidate, error),
        str(document["failure"]),
    )
    whole = trial.seconds and len(trial.seconds) == len(trial.reference_seconds)
    if not trial.failure and not (whole and trial.error is not None):
        raise ValueError("neither a trial nor a failure")
    return trial


def _error(candidate: Candidate, document: Mapping[str, Any]) -> TrackError:
    def number(name: str) -> float:
        value = document[name]
        return math.nan if value is None else float(value)

    return TrackError(
        number("p50_px"),
        number("p99_px"),
        number("max_px"),
        int(document["flips"]),
        int(document["compared"]),
        number("average_jaccard_change"),
        document["finite"] is True,
    )


def _seconds(values: Any) -> tuple[float, ...]:
    seconds = tuple(float(value) for value in values)
    if not all(0 < value < math.inf for value in seconds):
        raise ValueError("a time that no run takes")
    return seconds
