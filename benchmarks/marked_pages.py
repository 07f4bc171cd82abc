"""Tables between two marks of a page: a benchmark exchanges them, and the rest of it stays."""

from __future__ import annotations

from pathlib import Path

from locoexport.machine.writing.output_files import whole_file

__all__ = ["write_between"]


def write_between(page: Path, begin: str, end: str, content: str) -> None:
    """Put ``content`` on lines of its own between the marks; the page changes whole or not at all.

    Raises:
        SystemExit: a mark is not there, or there twice, or the end stands before the beginning.
    """
    text = page.read_text(encoding="utf-8")
    for mark in (begin, end):
        if (count := text.count(mark)) != 1:
            raise SystemExit(f"{page}: {count} times the mark {mark}, where it is due once")
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{page}: the mark {end} stands before {begin}")
    with whole_file(page) as draft:
        draft.write_text(f"{head}{begin}\n{content.rstrip()}\n{end}{tail}", encoding="utf-8")
