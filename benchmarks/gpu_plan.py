"""The parts of the GPU benchmark, the most telling first, and the files that they read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gpu_files import FileSpec
from gpu_setting import Setting

from locoexport.models import locotrack

__all__ = ["Part", "first_size", "list_files", "list_parts"]

SAMPLINGS, TARGETS = ("gather", "planar"), ("cuda", "cpu", "tensorrt")
SPEED_VARIANTS = ("b0", "b0-wide", "b5", "resnet-small", "resnet-base")
TENSORRT_VARIANTS = ("b0-tiny", "b0", "resnet-small")
TIMED = ((24, 64), (24, 256))
DRY_VARIANTS, DRY_TIMED = ("b0-tiny",), ((2, 4),)


@dataclass(frozen=True)
class Part:
    """One thing to measure. ``seconds`` is a guess, used until a part of its kind was measured."""

    kind: str
    seconds: float
    spec: FileSpec | None = None
    frames: int = 0
    points: int = 0

    @property
    def name(self) -> str:
        """Unique, and the key of its result."""
        words = [self.kind]
        if self.spec is not None:
            words += [self.spec.variant]
            words += [self.spec.sampling, self.spec.target] if self.kind == "parity" else []
        return " ".join(words + ([f"{self.frames}x{self.points}"] if self.frames else []))


def list_parts(setting: Setting, variants: Sequence[str] = ()) -> tuple[Part, ...]:
    """All parts, the most telling first; only those of ``variants`` where some are named."""
    every = DRY_VARIANTS if setting.dry else tuple(locotrack.VARIANTS)
    chosen = tuple(variants) or every
    speed = [name for name in (DRY_VARIANTS if setting.dry else SPEED_VARIANTS) if name in chosen]
    speed = speed or list(chosen)[:1]
    parts = [Part("parity", 40, FileSpec(name)) for name in chosen]
    for frames, points in DRY_TIMED if setting.dry else TIMED:
        for kind, seconds in (("torch", 45), ("binding", 25), ("capture", 45), ("fp16", 60)):
            parts += [Part(kind, seconds, FileSpec(name), frames, points) for name in speed]
    frames, points = first_size(setting)
    parts += [Part("bf16", 40, FileSpec(name), frames, points) for name in speed[:2]]
    parts += [Part("throughput", 60, FileSpec(name)) for name in speed]
    for kind in ("compile", "compile-autocast"):
        parts += [Part(kind, 150, FileSpec(name), frames, points) for name in speed]
    parts.append(Part("tests", 150))
    wanted = [name for name in TENSORRT_VARIANTS if name in chosen] or list(chosen)[:1]
    parts += [
        Part("tensorrt", 240, FileSpec(name, target="tensorrt"), frames, points) for name in wanted
    ]
    rest = itertools.product(TARGETS, SAMPLINGS, chosen)
    parts += [
        Part("parity", 40, FileSpec(name, sampling, target))
        for target, sampling, name in rest
        if (target, sampling) != ("cuda", "gather")
    ]
    return tuple(parts)


def list_files(parts: Iterable[Part]) -> tuple[FileSpec, ...]:
    """Every file that the parts read."""
    files = []
    for part in parts:
        if part.spec is None:
            continue
        files.append(part.spec)
        if part.kind == "fp16":
            files.append(replace(part.spec, precision="fp16"))
        if part.kind == "capture":
            files.append(replace(part.spec, fixed=(part.frames, part.points)))
    return tuple(dict.fromkeys(files))


def first_size(setting: Setting) -> tuple[int, int]:
    """Frames and points of what is timed at one size alone."""
    return (DRY_TIMED if setting.dry else TIMED)[0]
