"""Frames one by one: every one of them, or the newest alone, held back until their time."""

import threading
import time

import numpy as np
import pytest

from locoexport.errors import VideoError
from locoexport.runtime.live.feed import FedFrame, FrameFeed
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.iterators import iterator_footage
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import open_source


def frames(count: int) -> list[np.ndarray]:
    return [np.full((4, 6, 3), index, np.uint8) for index in range(count)]


def every_frame(feed: FrameFeed, pause_s: float = 0.0) -> list[FedFrame]:
    taken = []
    while not feed.ended:
        fed = feed.take(0.05)
        if fed is not None:
            taken.append(fed)
            time.sleep(pause_s)
    return taken


def source_of(count: int) -> FrameSource:
    return open_source(iter(frames(count)))


def test_every_frame_is_given_in_order_however_slow_the_taker_is() -> None:
    with FrameFeed(source_of(5), drops=False, paced=False) as feed:
        taken = every_frame(feed, 0.02)
    assert [fed.number for fed in taken] == [0, 1, 2, 3, 4]
    assert [int(fed.rgb[0, 0, 0]) for fed in taken] == [0, 1, 2, 3, 4]
    assert [fed.time_s for fed in taken] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert feed.came == 5


def test_a_slow_taker_of_a_paced_source_gets_the_newest_frame_and_the_last() -> None:
    with FrameFeed(source_of(12), drops=True, paced=True) as feed:
        taken = every_frame(feed, 0.15)
    numbers = [fed.number for fed in taken]
    assert (numbers[0], numbers[-1], feed.came) == (0, 11, 12)
    assert 2 <= len(numbers) < 8
    assert numbers == sorted(set(numbers))


def test_a_paced_source_comes_no_sooner_than_its_times() -> None:
    begun = time.monotonic()
    with FrameFeed(source_of(6), drops=True, paced=True) as feed:
        every_frame(feed)
    assert time.monotonic() - begun >= 0.2


def test_no_list_of_times_grows_while_it_feeds() -> None:
    source = source_of(50)
    with FrameFeed(source, drops=False, paced=False) as feed:
        taken = every_frame(feed)
    assert [fed.time_s for fed in taken] == pytest.approx([index / 25 for index in range(50)])
    assert source.times_s == pytest.approx([0, 49 / 25])
    assert source.frames_read == 50


def test_what_fails_at_the_first_frame_is_raised() -> None:
    with FrameFeed(source_of(0), drops=False, paced=False) as feed:
        time.sleep(0.05)  # it has failed before anybody asks
        with pytest.raises(VideoError, match="no frames"):
            every_frame(feed)
        assert feed.ended


def test_leaving_ends_a_reading_that_waits_for_its_taker() -> None:
    source = FrameSource(iterator_footage(iter(frames(100))), Selection())
    with FrameFeed(source, drops=False, paced=False) as feed:
        assert feed.take(1.0) is not None
        time.sleep(0.1)
        assert feed.came == 1  # another waits
    assert not [each for each in threading.enumerate() if each.name == "live-feed"]
