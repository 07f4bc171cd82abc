"""Things prepared one ahead."""

import threading

import pytest

from locoexport.runtime.live.ahead import prepare_ahead


def test_all_come_in_order_prepared_in_one_other_thread() -> None:
    threads = set()

    def prepare(number: int) -> int:
        threads.add(threading.get_ident())
        return number * 2

    assert list(prepare_ahead(range(50), prepare)) == list(range(0, 100, 2))
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert list(prepare_ahead([], prepare)) == []


def test_the_next_is_prepared_while_this_one_is_used_and_no_more() -> None:
    begun = [threading.Event() for _ in range(4)]
    things = prepare_ahead(range(4), lambda number: begun[number].set())
    next(things)
    assert begun[1].wait(5)
    assert not begun[2].wait(0.05)
    things.close()  # type: ignore[attr-defined]
    assert not begun[2].is_set()


def test_what_is_raised_comes_in_its_place() -> None:
    things = prepare_ahead([1, 0], lambda number: 1 // number)
    assert next(things) == 1
    with pytest.raises(ZeroDivisionError):
        next(things)
