"""Reading back what a run wrote."""

import hashlib
from pathlib import Path

import pyarrow.dataset

from locoexport.batch.clip_work import OutputFolder
from locoexport.batch.jobs import ClipOutcome, WorkSettings


def part_of(settings: WorkSettings, outcome: ClipOutcome) -> Path:
    assert outcome.clip_id is not None
    return OutputFolder(settings.out).part(outcome.clip_id)


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every file of the dataset, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (out / "tracks").iterdir()
    }


def clips_of(out: Path) -> list[str]:
    """The clip of every point-0-frame-0 row: each one that is there once is listed once."""
    field = pyarrow.dataset.field
    table = pyarrow.dataset.dataset(out / "tracks").to_table(
        columns=["clip"], filter=(field("point") == 0) & (field("frame") == 0)
    )
    return sorted(table["clip"].to_pylist())
