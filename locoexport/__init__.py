"""Export LocoTrack point trackers to ONNX, prove the graph, run it on real video.

The public names below are imported when they are first asked for: torch and onnx are slow to
import, and a machine that only tracks has neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locoexport.errors import LocoExportError
    from locoexport.metrics import sample_queries, tapvid_metrics
    from locoexport.pipeline.evaluate import EvalReport, evaluate_model
    from locoexport.pipeline.export import ExportReport, export_model
    from locoexport.pipeline.objects import (
        ObjectOutputs,
        ObjectReport,
        ObjectSources,
        track_video_objects,
    )
    from locoexport.pipeline.rewrite import RewriteReport, rewrite
    from locoexport.pipeline.sidecar_check import verify_with_sidecar
    from locoexport.pipeline.track import TrackReport, track_video
    from locoexport.pipeline.track_many import ManyReport, track_many
    from locoexport.pipeline.verify import verify_model
    from locoexport.pipeline.verify_report import VerifyReport
    from locoexport.profile import ExportProfile, load_profile, profile_names
    from locoexport.runtime.object_rules import ObjectRules
    from locoexport.runtime.sources import Selection
    from locoexport.runtime.tracker import PointTracker
    from locoexport.runtime.tracks import Tracks

__all__ = [
    "EvalReport",
    "ExportProfile",
    "ExportReport",
    "LocoExportError",
    "ManyReport",
    "ObjectOutputs",
    "ObjectReport",
    "ObjectRules",
    "ObjectSources",
    "PointTracker",
    "RewriteReport",
    "Selection",
    "TrackReport",
    "Tracks",
    "VerifyReport",
    "__version__",
    "evaluate_model",
    "export_model",
    "load_profile",
    "profile_names",
    "rewrite",
    "sample_queries",
    "tapvid_metrics",
    "track_many",
    "track_video",
    "track_video_objects",
    "verify_model",
    "verify_with_sidecar",
]

__version__ = "0.1.0"

_HOMES = {
    "EvalReport": "locoexport.pipeline.evaluate",
    "ExportProfile": "locoexport.profile",
    "ExportReport": "locoexport.pipeline.export",
    "LocoExportError": "locoexport.errors",
    "ManyReport": "locoexport.pipeline.track_many",
    "ObjectOutputs": "locoexport.pipeline.objects",
    "ObjectReport": "locoexport.pipeline.objects",
    "ObjectRules": "locoexport.runtime.object_rules",
    "ObjectSources": "locoexport.pipeline.objects",
    "PointTracker": "locoexport.runtime.tracker",
    "RewriteReport": "locoexport.pipeline.rewrite",
    "Selection": "locoexport.runtime.sources",
    "TrackReport": "locoexport.pipeline.track",
    "Tracks": "locoexport.runtime.tracks",
    "VerifyReport": "locoexport.pipeline.verify_report",
    "evaluate_model": "locoexport.pipeline.evaluate",
    "export_model": "locoexport.pipeline.export",
    "load_profile": "locoexport.profile",
    "profile_names": "locoexport.profile",
    "rewrite": "locoexport.pipeline.rewrite",
    "sample_queries": "locoexport.metrics",
    "tapvid_metrics": "locoexport.metrics",
    "track_many": "locoexport.pipeline.track_many",
    "track_video": "locoexport.pipeline.track",
    "track_video_objects": "locoexport.pipeline.objects",
    "verify_model": "locoexport.pipeline.verify",
    "verify_with_sidecar": "locoexport.pipeline.sidecar_check",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives; AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
