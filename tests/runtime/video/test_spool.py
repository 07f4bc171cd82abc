"""Frames kept in a temporary file come back; a full disk is one error, however late it is met."""

import errno
import os
from contextlib import closing

import numpy as np
import pytest

from locoexport.errors import OutputError
from locoexport.runtime.video.spool import Spool


def keep_and_read(spool: Spool, frame: np.ndarray) -> None:
    for _ in range(3):
        spool.write(frame)
    spool.read(0, 3)


def test_frames_come_back() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    with closing(Spool()) as spool:
        for frame in frames:
            spool.write(frame)
        np.testing.assert_array_equal(spool.read(1, 4), frames[1:4])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("side", [2, 400])
def test_a_full_disk_is_an_output_error(side: int, monkeypatch) -> None:
    """A small frame waits in a buffer: the disk is asked when frames are read, and when closing."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "r+b"))  # noqa: SIM115
    with closing(Spool()) as spool, pytest.raises(OutputError, match=r"No space left .*TMPDIR"):
        keep_and_read(spool, np.zeros((side, side, 3), np.uint8))


def test_no_temporary_folder_is_an_output_error(monkeypatch) -> None:
    def none() -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", none)
    with pytest.raises(OutputError, match="No usable temporary directory"):
        Spool()
