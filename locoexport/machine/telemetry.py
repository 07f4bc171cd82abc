"""Telemetry of the libraries that this package runs, switched off before they are loaded.

ONNX Runtime 1.31 writes a device id into the user's cache when it is imported, and looks up a host
of its maker when a session is made. OpenVINO 2026.4 writes an id into the user's home and tells
Google Analytics that it was imported. What a user tracks, and that it is tracked, is nobody's
business. Whoever wants ONNX Runtime's sets the variable to 0 before this package is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__all__ = ["load_openvino", "switch_off_telemetry"]

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


def load_openvino() -> Any:
    """OpenVINO's package, loaded without its telemetry where this process had not loaded it.

    It has no switch. But where its package openvino_telemetry is not installed it takes a stub of
    its own (openvino/tools/ovc/telemetry_utils.py), and so it does where that cannot be imported.

    Raises:
        ImportError: it is not installed.
    """
    name = "openvino_telemetry"
    if name in sys.modules or "openvino" in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[name] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[name]
