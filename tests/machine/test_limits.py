"""The limits of what is read, and how each is raised."""

import pytest

from locoexport.errors import InputError, UsageError, VideoError
from locoexport.machine.limits import FRAME_PIXELS, LIMITS, Limit


def test_every_limit_has_a_name_and_a_variable_of_its_own() -> None:
    assert len(LIMITS) > 10
    assert len({limit.variable for limit in LIMITS}) == len(LIMITS)
    assert all(limit.value == limit.default > 0 for limit in LIMITS)


def test_what_is_over_a_limit_is_refused_with_the_way_out(monkeypatch) -> None:
    FRAME_PIXELS.check(FRAME_PIXELS.value, "clip.gif")
    with pytest.raises(VideoError) as caught:
        FRAME_PIXELS.check(256_000_000, "clip.gif", VideoError)
    assert str(caught.value) == (
        "clip.gif has 256,000,000 pixels a frame, and at most 40,000,000 are taken from a file (a"
        " video). If you trust it, set LOCOEXPORT_MAX_FRAME_PIXELS=256000000."
    )
    monkeypatch.setenv("LOCOEXPORT_MAX_FRAME_PIXELS", "256000000")
    FRAME_PIXELS.check(256_000_000, "clip.gif", VideoError)
    with pytest.raises(InputError):
        FRAME_PIXELS.check(256_000_001, "clip.gif")


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "٣", "9" * 5000, "x"])
def test_a_variable_that_holds_no_number_is_wrong_use(monkeypatch, text) -> None:
    limit = Limit("TRIED", 5, "bytes", "a test")
    monkeypatch.setenv(limit.variable, text)
    with pytest.raises(UsageError, match="LOCOEXPORT_MAX_TRIED"):
        limit.check(1, "x")
