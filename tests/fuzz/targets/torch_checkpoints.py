"""Weights as torch writes them: a zip archive, the old layout, a bare pickle."""

from pathlib import Path

from locoexport.errors import CheckpointError
from locoexport.models import locotrack
from locoexport.models.locotrack.checkpoint import read_state_dict
from locoexport.network.checkpoint_files import check_checkpoint

SUFFIX = ".pt"


def read(path: Path) -> None:
    """What ``export --checkpoint`` reads, before it tells the variant."""
    check_checkpoint(path)
    try:
        read_state_dict(path)
    except locotrack.CheckpointError as error:
        raise CheckpointError(str(error)) from error
