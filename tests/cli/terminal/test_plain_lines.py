import sys
import time

import click
import pytest
import typer

from locoexport.cli.terminal import console
from locoexport.cli.terminal.plain_lines import describe_rate, plain_lines
from locoexport.notices import Notice, counted, noting


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_counts_are_told_now_and_then_with_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with plain_lines(every_s=0.2) as listen:
        listen(Notice("reading a.mp4"))
        for done in range(60):
            listen(Notice("tracking frames", done=done, total=60))
            listen(Notice("reading frames", done=done, total=60, live=True))
            time.sleep(0.01)
        listen(Notice("tracking frames", done=60, total=60))
    first, *told, last = lines_of(capsys)
    assert (first, last) == ("reading a.mp4", "tracking frames: 60 of 60")
    assert 1 <= len(told) <= 4
    for line in told:
        words = line.replace(",", "").split()
        assert line.startswith("tracking frames: ")
        assert words[3:5] == ["of", "60"]
        assert 10 < float(words[5].removesuffix("/s")) < 101


def test_a_line_comes_while_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with plain_lines(every_s=0.1) as listen:
        listen(Notice("tracking frames", done=0, total=3000))
        time.sleep(0.35)
    told = lines_of(capsys)
    assert 2 <= len(told) <= 3
    assert all(line.startswith("tracking frames: 0 of 3000, 0.0/s") for line in told)


def test_short_tasks_are_told_of_once_and_warnings_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with plain_lines() as listen:
        for done in range(4):
            listen(Notice("clips", done=done, total=3))
        listen(Notice("odd", warning=True))
        listen(Notice("frames", done=5))
    assert lines_of(capsys) == ["clips: 3 of 3", "warning: odd"]


def test_warnings_are_kept_once_whoever_listens() -> None:
    kept, heard = [], []
    listen = noting(kept, heard.append)
    for notice in (Notice("a", warning=True), Notice("b"), Notice("a", warning=True)):
        listen(notice)
    assert kept == ["a"]
    assert len(heard) == 3


def test_a_warning_is_heard_once_where_that_is_asked_for() -> None:
    kept, heard = [], []
    listen = noting(kept, heard.append, once=True)
    for notice in (Notice("a", warning=True), Notice("a"), Notice("a", warning=True)):
        listen(notice)
    assert kept == ["a"]
    assert heard == [Notice("a", warning=True), Notice("a")]


@pytest.mark.parametrize("dumb", [False, True])
def test_no_bar_goes_into_a_pipe_or_a_dumb_terminal(
    dumb: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FORCE_COLOR, which CI services set, colours a pipe and makes no terminal of it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: dumb)
    with console.listening(typer.Context(click.Command("any"))) as notify:
        notify(Notice("steps", done=3, total=3))
    assert capsys.readouterr().err == "steps: 3 of 3\n"


def test_one_is_counted_in_the_singular() -> None:
    assert [counted(number, "point") for number in (0, 1, 2)] == ["0 points", "1 point", "2 points"]
    assert counted(2, "query", "queries") == "2 queries"


def test_a_step_that_takes_long_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    with plain_lines(every_s=0.1) as listen:
        listen(Notice("tracing"))
        time.sleep(0.35)
    lines = lines_of(capsys)
    assert lines[0] == "tracing"
    assert set(lines[1:]) == {"tracing: 0 s"}
    assert 1 <= len(lines[1:]) <= 3


def test_what_changes_beside_a_count_makes_no_task_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with plain_lines(every_s=0.1) as listen:
        for done in range(1, 41):
            listen(Notice("training", done=done, total=40, figures=f"loss {1 / done:.2f}"))
            time.sleep(0.01)
    *told, last = lines_of(capsys)
    assert 1 <= len(told) <= 4
    assert last == "training: 40 of 40"
    counts = []
    for line in told:
        said, count = line.split(": ")
        counts.append(int(count.split()[0]))
        assert said == f"training, loss {1 / counts[-1]:.2f}"
    assert counts == sorted(set(counts))


def test_what_takes_longer_than_a_second_is_told_in_seconds() -> None:
    assert [describe_rate(rate) for rate in (12.5, 1.0, 0.5, 0.1, 0)] == [
        *("12.5/s", "1.0/s", "2.0 s each", "10.0 s each"),
        "0.0/s",
    ]
