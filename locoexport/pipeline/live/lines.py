"""Answers as lines of JSON, each written out as soon as it is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import numpy as np

from locoexport.errors import OutputError
from locoexport.machine.writing.output_files import check_output
from locoexport.runtime.live.tracker import LiveTracks

__all__ = ["LINE_SCHEMA", "AnswerLines", "check_lines_target", "open_lines"]

LINE_SCHEMA = "locoexport.live/1"
_STDOUT = "-"


class AnswerLines:
    """Writes a line a frame. ``null`` stands for what is not finite.

    Attributes:
        unread: whether the reader of a pipe went away; nothing more is written then.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        """To a stream of that name, which is flushed after each line."""
        self._stream, self._name = stream, name
        self.unread = False

    def write(
        self, tracks: LiveTracks, number: int, time_s: float, object_ids: list[int] | None
    ) -> None:
        """One frame's answer.

        Args:
            tracks: the answer.
            number: of the frame in the source; frames that were dropped are counted.
            time_s: of the frame.
            object_ids: of the points, where objects are followed.

        Raises:
            OutputError: the line cannot be written.
        """
        line = {
            "schema": LINE_SCHEMA,
            "frame": number,
            "time_s": round(time_s, 6),
            "ids": tracks.ids.tolist(),
            "xy": [[_rounded(x, 3), _rounded(y, 3)] for x, y in tracks.xy.tolist()],
            "visible": tracks.visible.tolist(),
            "confidence": [_rounded(value, 4) for value in tracks.confidence.tolist()],
            "latency_ms": round(tracks.latency_ms, 3),
            "window": tracks.window,
        }
        if object_ids is not None:
            line["object_ids"] = object_ids
        try:
            self._stream.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self.unread = True
        except OSError as error:
            raise OutputError(f"Cannot write {self._name}: {error.strerror or error}.") from error


def check_lines_target(target: str, *, force: bool) -> None:
    """Check that lines can be written there: ``-`` for stdout, a file, a named pipe or a device.

    Raises:
        OutputError: they cannot; or a file is there, and ``force`` is not given.
    """
    if target != _STDOUT and not _is_channel(Path(target)):
        check_output(target, force=force)


@contextmanager
def open_lines(target: str | None) -> Iterator[AnswerLines | None]:
    """What writes lines there; None for None.

    A file is written in its place, and not renamed at the end: whoever follows it (``tail -f``)
    reads each line when it comes, and any number of whole lines is a whole file.

    Raises:
        OutputError: the file cannot be written.
    """
    if target is None:
        yield None
    elif target == _STDOUT:
        yield AnswerLines(sys.stdout, "stdout")
    else:
        try:
            stream = open(target, "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
        try:
            yield AnswerLines(stream, target)
        finally:
            with suppress(OSError):  # every line was flushed, or its failure told
                stream.close()


def _is_channel(path: Path) -> bool:
    return path.is_fifo() or path.is_char_device()


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None
