"""What ``--data`` names → sources of samples.

``movi-e:DIR``, ``synthetic``, ``synthetic:DIR`` (of pictures), ``clips:DIR`` (with a teacher), or a
.pkl file or a folder of TAP-Vid; each may end in ``@WEIGHT``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from locoexport.errors import InputError, UsageError, did_you_mean
from locoexport.notices import Listener, Notice
from locoexport.training.data.generated.synthetic import open_synthetic
from locoexport.training.data.rendered.movi_e import open_movi_e
from locoexport.training.data.stream import WeightedSource
from locoexport.training.data.taught.lessons import Lessons
from locoexport.training.data.taught.preparing import prepare_annotated, prepare_taught
from locoexport.training.data.taught.teacher import Teacher

__all__ = ["DATA_KINDS", "DataSettings", "NamedData", "open_sources", "parse_data"]

DataKind = Literal["movi-e", "synthetic", "clips", "tapvid"]
DATA_KINDS: tuple[DataKind, ...] = ("movi-e", "synthetic", "clips")
# One letter before a colon is a drive of Windows.
_NAMED = re.compile(r"(?P<kind>[a-z-]{2,})(?P<colon>:(?P<path>.*))?", re.DOTALL)
_WEIGHT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf", re.IGNORECASE)


@dataclass(frozen=True)
class NamedData:
    """A kind of source, its folder or file where it has one, and how often it is drawn from."""

    kind: DataKind
    path: Path | None
    weight: float
    text: str


@dataclass(frozen=True)
class DataSettings:
    """What sources need beside their names.

    ``frames`` of the longest sample; ``lessons`` the folder that clips are prepared in;
    ``difficulty`` of generated sequences and of the damage to clips, 1 being usual.
    """

    seed: int
    frames: int
    lessons: Path
    teacher: Teacher | None = None
    difficulty: float = 1.0


def open_sources(
    named: Sequence[NamedData], settings: DataSettings, notify: Listener
) -> tuple[WeightedSource, ...]:
    """Every source that was named, opened and checked; clips are prepared now.

    Raises:
        UsageError: nothing is named, or clips without a teacher.
        InputError: a source cannot be read or holds nothing to learn from.
    """
    if not named:
        raise UsageError("No --data was named: there is nothing to learn from.")
    _check_teacher(named, settings)
    return tuple(_open_source(number, each, settings, notify) for number, each in enumerate(named))


def _check_teacher(named: Sequence[NamedData], settings: DataSettings) -> None:
    clips = [each for each in named if each.kind == "clips"]
    if clips and settings.teacher is None:
        raise UsageError(
            f"--data {clips[0].text}: clips have no answers of their own. Name the tracker that "
            "gives them: --teacher CHECKPOINT, --teacher MODEL.onnx or --teacher demo."
        )
    if settings.teacher is not None and not clips:
        raise UsageError(
            "--teacher answers for clips without annotations, and no --data clips:DIR is named. "
            "Name one, or leave --teacher out."
        )


def parse_data(text: str) -> NamedData:
    """One value of ``--data``.

    The weight is a number after the last ``@``. A path that exists with its ``@`` and not without
    is taken whole; ``@1`` after it says so for any.

    Raises:
        UsageError: it names no kind, no folder where one is needed, or a weight that is none.
    """
    named, weight = _split_weight(text)
    kind, colon, path = _split_kind(named)
    if kind is None:
        if named and (Path(named).suffix == ".pkl" or Path(named).is_dir()):
            return NamedData("tapvid", Path(named), weight, text)
        raise UsageError(
            f"--data {text}: expected movi-e:DIR, synthetic, synthetic:DIR, clips:DIR or a .pkl "
            "file or folder of TAP-Vid." + did_you_mean(named.partition(":")[0], DATA_KINDS)
        )
    if not path and (colon or kind != "synthetic"):
        alone = "synthetic or " if kind == "synthetic" else ""
        raise UsageError(f"--data {text}: write {alone}{kind}:DIR, with the folder of its files.")
    return NamedData(kind, Path(path) if path else None, weight, text)


def _split_kind(named: str) -> tuple[DataKind | None, bool, str]:
    """Kind, whether a colon follows, and the path; no kind where it names none."""
    found = _NAMED.fullmatch(named)
    for kind in DATA_KINDS:
        if found is not None and found["kind"] == kind:
            return kind, found["colon"] is not None, found["path"] or ""
    return None, False, ""


def _split_weight(text: str) -> tuple[str, float]:
    named, at, number = text.rpartition("@")
    if not at or not _WEIGHT.fullmatch(number):
        return text, 1.0
    if _path_of(text).exists() and not _path_of(named).exists():
        return text, 1.0
    weight = float(number)
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"--data {text}: the weight {number} is not a number above 0.")
    return named, weight


def _path_of(named: str) -> Path:
    kind, _, path = _split_kind(named)
    return Path(path if kind else named)


def _open_source(
    number: int, named: NamedData, settings: DataSettings, notify: Listener
) -> WeightedSource:
    path, seed = named.path, settings.seed
    if named.kind == "synthetic":
        generated = open_synthetic(path, seed, difficulty=settings.difficulty)
        for remark in generated.remarks:
            notify(Notice(remark, warning=True))
        return WeightedSource(generated, named.weight)
    assert path is not None
    if named.kind == "movi-e":
        scenes = open_movi_e(path, seed)
        for remark in scenes.remarks:
            notify(Notice(remark, warning=True))
        return WeightedSource(scenes, named.weight, scenes.skipped)
    lessons = settings.lessons / f"{number:02}"
    if named.kind == "tapvid":
        if not path.exists():
            raise InputError(f"--data {named.text}: there is no file {path}.")
        files = prepare_annotated(path, settings.frames, lessons, notify)
    else:
        assert settings.teacher is not None
        files = prepare_taught(path, settings.teacher, settings.frames, lessons, seed, notify)
    return WeightedSource(Lessons(files, seed, damage=settings.difficulty), named.weight)
