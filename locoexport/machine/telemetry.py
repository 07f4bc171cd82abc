"""Telemetry of the libraries that this package runs, switched off before they are loaded.

ONNX Runtime 1.31 writes a device id into the user's cache when it is imported, and looks up a host
of its maker when a session is made. What a user tracks, and that it is tracked, is nobody's
business. Whoever wants it sets the variable to 0 before this package is imported.
"""

from __future__ import annotations

import os
import sys

__all__ = ["switch_off_telemetry"]

_SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # read when onnxruntime is imported
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}


def switch_off_telemetry() -> None:
    """Switch it off in this process and in those that it starts; variables that are set stay.

    A program that imported ONNX Runtime first has its device id written; its events are switched
    off from here on.
    """
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    loaded = sys.modules.get("onnxruntime")
    switch_off = getattr(loaded, "disable_telemetry_events", None)
    if switch_off is not None and os.environ["ORT_DISABLE_TELEMETRY"] == "1":
        switch_off()
