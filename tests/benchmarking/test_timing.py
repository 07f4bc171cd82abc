"""How runs are taken and summed up, on a clock that stands still by itself."""

import pytest

from locoexport.benchmarking.report import paired_ratios, spread
from locoexport.benchmarking.timing import settle, take_turns


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A contender that takes the times it is given, in order, and keeps a common diary."""

    resolution_hw, threads = (8, 8), None

    def __init__(self, name: str, clock: Clock, times: list[float], diary: list[str]) -> None:
        self.name, self._clock, self._diary = name, clock, diary
        self._times = iter(times)

    def run(self) -> None:
        self._diary.append(self.name)
        self._clock.now += next(self._times)


def test_sides_take_turns_and_neither_always_goes_first() -> None:
    clock, diary, done = Clock(), [], []
    a, b = (Fake(name, clock, [1.0] * 4, diary) for name in "ab")
    take_turns([a, b], 4, progress=done.append, clock=clock, rest=lambda _: None)
    assert "".join(diary) == "abbaabba"
    assert done == [1, 2, 3, 4]


def test_every_time_is_kept_with_its_side_and_its_round() -> None:
    clock = Clock()
    a, b = Fake("a", clock, [1, 2, 3], []), Fake("b", clock, [10, 20, 30], [])

    def rest(seconds: float) -> None:
        clock.now += seconds  # resting is not timed

    seconds = take_turns([a, b], 3, progress=lambda _: None, clock=clock, rest=rest)
    assert seconds[0] == pytest.approx([1, 2, 3])
    assert seconds[1] == pytest.approx([10, 20, 30])


@pytest.mark.parametrize(
    ("times", "runs"),
    [([5, 1, 1.02], 3), ([1, 1], 2), ([8, 7, 6, 5, 4, 3, 2, 1, 1], 8), ([1, 9, 1, 1], 4)],
)
def test_warm_up_ends_when_two_runs_are_alike(times: list[float], runs: int) -> None:
    clock, diary = Clock(), []
    assert settle(Fake("a", clock, times, diary), clock=clock) == len(diary) == runs


def test_spread() -> None:
    values = spread(list(range(11)))
    assert (values.median, values.p10, values.p90) == (5, 1, 9)


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that is twice as slow in one round changes both sides, not their ratio."""
    ours, theirs = [1.0, 2.0, 4.0], [3.0, 6.0, 12.0]
    ratio = paired_ratios(ours, theirs)
    assert (ratio.median, ratio.p10, ratio.p90) == (3, 3, 3)
    with pytest.raises(ValueError, match="shorter"):
        paired_ratios(ours, theirs[:2])
