import time

import pytest

from locoexport.cli.terminal.plain_lines import plain_lines
from locoexport.notices import Notice, noting


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
