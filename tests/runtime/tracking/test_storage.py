"""Tracks that grow frame by frame, in memory and in a temporary file alike."""

import errno
import os
from contextlib import closing

import numpy as np
import pytest

from locoexport.errors import OutputError
from locoexport.runtime.tracking.storage import BYTES_PER_POINT_FRAME, TrackStore


@pytest.fixture(params=[False, True], ids=["in memory", "on disk"])
def on_disk(request) -> bool:
    return request.param


def _numbers(frames: int, points: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, points, 3), np.float32)


def test_there_are_no_frames_at_first_and_nothing_where_nothing_was_written(on_disk: bool) -> None:
    store = TrackStore(2, on_disk=on_disk)
    assert store.values.shape == (0, 2, 3)
    store.grow(3)
    assert store.frames == 3
    assert store.values.shape == (3, 2, 3)
    assert _is_empty(store.values)
    assert store.values.nbytes == 3 * 2 * BYTES_PER_POINT_FRAME
    store.close()


def _is_empty(values: np.ndarray) -> bool:
    """Whether there is no place, and no confidence."""
    return bool(np.isnan(values[..., :2]).all() and (values[..., 2] == 0).all())


@pytest.mark.parametrize("released", [False, True])
def test_what_was_written_stays_while_it_grows(on_disk: bool, released: bool) -> None:
    """Past the first 256 frames, and past where a quarter more is room enough."""
    store, written = TrackStore(3, on_disk=on_disk), _numbers(1000, 3)
    ends = [5, 200, 256, 257, 300, 330, 1000]
    for begin, end in zip([0, *ends], ends, strict=False):
        store.grow(end)
        assert _is_empty(store.values[begin:])
        store.values[begin:end] = written[begin:end]
        if released:
            store.release()
    np.testing.assert_array_equal(store.values, written)
    store.close()


def test_frames_are_written_in_any_order(on_disk: bool) -> None:
    store, written = TrackStore(1, on_disk=on_disk), _numbers(6, 1)
    store.grow(6)
    for frame in (5, 0, 3):
        store.values[frame] = written[frame]
    np.testing.assert_array_equal(store.values[[0, 3, 5]], written[[0, 3, 5]])
    assert _is_empty(store.values[[1, 2, 4]])
    store.close()


def test_it_never_shrinks(on_disk: bool) -> None:
    store, written = TrackStore(1, on_disk=on_disk), _numbers(4, 1)
    store.grow(4)
    store.values[:] = written
    store.grow(2)
    assert store.frames == 4
    np.testing.assert_array_equal(store.values, written)
    store.close()


def test_arrays_are_by_point_and_outlive_the_store(on_disk: bool) -> None:
    store, written = TrackStore(2, on_disk=on_disk), _numbers(7, 2)
    store.grow(7)
    store.values[:] = written
    xy, confidence = store.arrays()
    store.close()
    del store
    assert (xy.dtype, confidence.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(xy, written.transpose(1, 0, 2)[..., :2])
    np.testing.assert_array_equal(confidence, written[..., 2].T)
    assert isinstance(xy.base, np.memmap) == on_disk
    assert xy.flags.c_contiguous != on_disk
    assert confidence.flags.c_contiguous != on_disk


def test_a_closed_file_cannot_grow() -> None:
    store = TrackStore(1, on_disk=True)
    store.grow(1)
    store.close()
    store.close()
    with pytest.raises(ValueError, match="closed file"):
        store.grow(1000)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system has no fallocate")
def test_a_full_disk_is_told_before_anything_is_mapped(monkeypatch) -> None:
    """A mapped page without room on the disk would end the process with SIGBUS."""

    def full(_file: int, _offset: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(TrackStore(1000, on_disk=True)) as store:
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OutputError, match=r"need 3\.1 MB .*No space left.*Set TMPDIR"):
            store.grow(1)


@pytest.mark.parametrize("way", ["fallocate", "refused", "absent"])
def test_the_file_has_room_for_every_page(way: str, monkeypatch) -> None:
    if way == "absent":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif way == "refused":

        def refuse(_file: int, _offset: int, _size: int) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    elif not hasattr(os, "posix_fallocate"):
        pytest.skip("this system has no fallocate")
    with closing(TrackStore(1000, on_disk=True)) as store:
        for frames in (1, 300, 500):
            store.grow(frames)
            store.values[:] = frames
        assert store._file is not None
        status = os.fstat(store._file.fileno())
        assert status.st_size >= 500 * 1000 * BYTES_PER_POINT_FRAME
        assert status.st_blocks * 512 >= status.st_size  # no holes
        assert (store.values == 500).all()


def test_no_temporary_folder_is_an_output_error(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OutputError, match="Set TMPDIR"):
        TrackStore(1, on_disk=True)
