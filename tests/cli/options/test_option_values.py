"""What may stand in an option's value, and what is said of anything else."""

import pytest

from locoexport.cli.options.option_values import (
    parse_axis_sizes,
    parse_grid,
    parse_range,
    parse_share,
    parse_sizes,
)
from locoexport.errors import UsageError


def test_sizes_keep_their_order_and_come_once() -> None:
    assert parse_sizes("--frames", "24, 8,24 ,8") == [24, 8]
    assert parse_sizes("--frames", "7") == [7]
    assert parse_sizes("--frames", None) is None


@pytest.mark.parametrize("text", ["", "8,", "0", "8,-1", "8;9", "1.5", "²", "٣", "eight"])
def test_what_is_no_size_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_sizes("--points", text)
    assert str(refused.value) == (f"--points {text!r}: expected positive numbers, such as 8,24.")


def test_axis_sizes_by_name() -> None:
    assert parse_axis_sizes([]) == {}
    # A name may hold an equals sign; of one name the last counts.
    assert parse_axis_sizes(["a=3", "b=c=4", "a=5"]) == {"a": 5, "b=c": 4}


@pytest.mark.parametrize("text", ["a", "=3", "a=", "a=0", "a=-1", "a= 3", "a=²", "a=b"])
def test_what_is_no_axis_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_axis_sizes(["n=1", text])
    assert str(refused.value) == f"--axis {text!r}: expected NAME=SIZE with a positive size."


def test_a_range_is_three_numbers() -> None:
    assert parse_range("--frames", "2,24,48") == (2, 24, 48)
    # Whether they follow one another is for the range itself to say.
    assert parse_range("--frames", "9, 8,-7") == (9, 8, -7)


@pytest.mark.parametrize("text", ["", "1", "1,2", "1,2,3,4", "1,2,x", "1.0,2,3"])
def test_what_is_no_range_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_range("--points", text)
    assert str(refused.value) == f"--points is MIN,OPT,MAX, like 2,24,48, not {text!r}."


@pytest.mark.parametrize(
    ("text", "share"), [("1/3", 1 / 3), ("0.3", 0.3), ("1", 1.0), ("0", 0.0), ("4/2", 2.0)]
)
def test_a_share_is_a_fraction_or_a_number(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["", "1/0", "a", "1/2/3", "33 %", "nan", "inf"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_share(text)
    assert str(refused.value) == f"A share is a number like 0.3 or 1/3, not {text!r}."


@pytest.mark.parametrize(
    ("text", "rows_columns"), [("8", (8, 8)), ("2x3", (2, 3)), ("9999x1", (9999, 1))]
)
def test_a_grid_has_rows_and_columns(text: str, rows_columns: tuple[int, int]) -> None:
    assert parse_grid(text) == rows_columns


@pytest.mark.parametrize("text", ["", "x", "8x", "x8", "8y8", "8X8", "10000", "2x3x4", "-1", "٣"])
def test_what_is_no_grid_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_grid(text)
    assert str(refused.value) == (f"A grid is N or NxM (rows and columns), like 8x8, not {text!r}.")
