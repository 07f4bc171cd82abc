"""Parts are measured in a process of its own: one that crashes or hangs takes no other with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from gpu_setting import Setting

__all__ = ["Worker"]

Row = dict[str, Any]


class Worker:
    """One process that measures part after part; started when it is needed, and again if it dies.

    ``target`` is what the process runs: it is given a connection and the setting.
    """

    def __init__(
        self, setting: Setting, target: Callable[[Connection, Setting], None] | None = None
    ) -> None:
        """Nothing is started yet."""
        self._setting, self._target = setting, target or serve
        self._process: Any = None
        self._connection: Any = None

    def measure(self, part: Any, seconds: float) -> Row:
        """The part's result with its seconds; ``unfinished`` where it was ended for the time."""
        began = time.monotonic()
        if self._process is None:
            self._start()
        try:
            self._connection.send(part)
            if not self._connection.poll(max(seconds, 0)):
                self.close()
                return {"state": "unfinished", "seconds": time.monotonic() - began}
            row: Row = self._connection.recv()
        # It has died: at its end of the pipe nothing is left, or what was sent is lost.
        except (EOFError, OSError):
            row = {"state": "failed", "error": f"the process that measured it {self._say_end()}"}
        return {**row, "seconds": time.monotonic() - began}

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=self._target, args=(theirs, self._setting))
        self._process.start()
        theirs.close()

    def _say_end(self) -> str:
        self._process.join()
        code = self._process.exitcode
        self.close()
        name = signal.Signals(-code).name if code < 0 else ""
        return f"died of {name}" if name else f"ended with {code}"

    def close(self) -> None:
        """End the process and what it started; nothing where there is none."""
        process, self._process = self._process, None
        if process is None:
            return
        self._connection.close()
        if process.is_alive():
            try:
                # Its own session, so its tests' processes are ended with it.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()  # it has not made its session yet
        process.join()


def serve(connection: Connection, setting: Setting) -> None:
    """Measure what is sent until the other side closes."""
    os.setsid()
    from gpu_parts import measure_part

    while True:
        try:
            part = connection.recv()
        except EOFError:
            return
        connection.send(measure_part(part, setting))
