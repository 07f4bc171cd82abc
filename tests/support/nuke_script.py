"""A small reader of Nuke's Tracker4 text: nested braces, quoted names, curves with keys."""

from __future__ import annotations

from typing import Any


def read_tracker4(text: str) -> list[dict[str, Any]]:
    """A dictionary a track: its columns by name; curves as {frame: value}."""
    tokens = _nested(text)
    body = tokens[tokens.index("Tracker4") + 1]
    header, columns, rows = body[body.index("tracks") + 1]
    assert [int(n) for n in header] == [1, len(columns), len(rows)]
    names = [column[3] for column in columns]
    assert all(len(row) == len(names) for row in rows)
    return [{name: _curve(value) for name, value in zip(names, row, strict=True)} for row in rows]


def _curve(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        return value
    assert value[0] == "curve"
    keys: dict[int, float] = {}
    frame = None
    for word in value[1:]:
        if word == "K":
            continue
        if word.startswith("x"):
            frame = int(word[1:])
            continue
        assert frame is not None
        keys[frame] = float(word)
        frame += 1
    return keys


def _nested(text: str) -> list[Any]:
    stack: list[list[Any]] = [[]]
    for word in text.replace("{", " { ").replace("}", " } ").split():
        if word == "{":
            stack.append([])
        elif word == "}":
            closed = stack.pop()
            stack[-1].append(closed)
        else:
            stack[-1].append(word.strip('"'))
    assert len(stack) == 1
    return stack[0]
