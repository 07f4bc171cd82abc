"""What an engine tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from locoexport.batch.jobs import ClipOutcome

__all__ = ["ClipDone", "Event", "FramesDone", "WorkerDied"]


@dataclass(frozen=True)
class FramesDone:
    """A clip that is being tracked has come that far; ``index`` is its job's place in the list."""

    index: int
    frames: int


@dataclass(frozen=True)
class ClipDone:
    """A clip has ended; ``index`` is its job's place in the list."""

    index: int
    outcome: ClipOutcome


@dataclass(frozen=True)
class WorkerDied:
    """A worker is gone, and another takes its place; ``index`` is the job it had, if any."""

    index: int | None
    reason: str


Event = FramesDone | ClipDone | WorkerDied
