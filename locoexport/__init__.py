"""Export LocoTrack point trackers to ONNX, prove the graph, run it on real video.

The public names below are imported when they are first asked for: torch and onnx are slow to
import, and a machine that only tracks has neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from locoexport.machine.telemetry import switch_off_telemetry
from locoexport.version import __version__

# Every way into this package leads through here, also a worker's: it comes before any session.
switch_off_telemetry()

if TYPE_CHECKING:
    from locoexport.contract.profile import ExportProfile, load_profile, profile_names
    from locoexport.errors import LocoExportError
    from locoexport.evaluation.metrics import sample_queries, tapvid_metrics
    from locoexport.pipeline.convert import ConvertReport, convert_tracks
    from locoexport.pipeline.evaluate import EvalReport, evaluate_datasets, evaluate_model
    from locoexport.pipeline.export import ExportReport, export_model
    from locoexport.pipeline.proof.report import VerifyReport
    from locoexport.pipeline.proof.sidecar_check import verify_with_sidecar
    from locoexport.pipeline.rewrite import RewriteReport, rewrite
    from locoexport.pipeline.tracking.many import ManyReport, track_many
    from locoexport.pipeline.tracking.objects import (
        ObjectOutputs,
        ObjectReport,
        ObjectSources,
        track_video_objects,
    )
    from locoexport.pipeline.tracking.points import TrackReport, track_video
    from locoexport.pipeline.verify import verify_model
    from locoexport.runtime.exchange.clip_facts import ClipFacts
    from locoexport.runtime.live.features import QueryFeatures
    from locoexport.runtime.live.state import LiveState
    from locoexport.runtime.live.tracker import LiveTracker, LiveTracks
    from locoexport.runtime.objects.rules import ObjectRules
    from locoexport.runtime.tracking.tracker import PointTracker
    from locoexport.runtime.tracks.tracks import Tracks
    from locoexport.runtime.video.selection import Selection

__all__ = [
    "ClipFacts",
    "ConvertReport",
    "EvalReport",
    "ExportProfile",
    "ExportReport",
    "LiveState",
    "LiveTracker",
    "LiveTracks",
    "LocoExportError",
    "ManyReport",
    "ObjectOutputs",
    "ObjectReport",
    "ObjectRules",
    "ObjectSources",
    "PointTracker",
    "QueryFeatures",
    "RewriteReport",
    "Selection",
    "TrackReport",
    "Tracks",
    "VerifyReport",
    "__version__",
    "convert_tracks",
    "evaluate_datasets",
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

_HOMES = {
    "ClipFacts": "locoexport.runtime.exchange.clip_facts",
    "ConvertReport": "locoexport.pipeline.convert",
    "EvalReport": "locoexport.pipeline.evaluate",
    "ExportProfile": "locoexport.contract.profile",
    "ExportReport": "locoexport.pipeline.export",
    "LiveState": "locoexport.runtime.live.state",
    "LiveTracker": "locoexport.runtime.live.tracker",
    "LiveTracks": "locoexport.runtime.live.tracker",
    "LocoExportError": "locoexport.errors",
    "ManyReport": "locoexport.pipeline.tracking.many",
    "ObjectOutputs": "locoexport.pipeline.tracking.objects",
    "ObjectReport": "locoexport.pipeline.tracking.objects",
    "ObjectRules": "locoexport.runtime.objects.rules",
    "ObjectSources": "locoexport.pipeline.tracking.objects",
    "QueryFeatures": "locoexport.runtime.live.features",
    "PointTracker": "locoexport.runtime.tracking.tracker",
    "RewriteReport": "locoexport.pipeline.rewrite",
    "Selection": "locoexport.runtime.video.selection",
    "TrackReport": "locoexport.pipeline.tracking.points",
    "Tracks": "locoexport.runtime.tracks.tracks",
    "VerifyReport": "locoexport.pipeline.proof.report",
    "convert_tracks": "locoexport.pipeline.convert",
    "evaluate_datasets": "locoexport.pipeline.evaluate",
    "evaluate_model": "locoexport.pipeline.evaluate",
    "export_model": "locoexport.pipeline.export",
    "load_profile": "locoexport.contract.profile",
    "profile_names": "locoexport.contract.profile",
    "rewrite": "locoexport.pipeline.rewrite",
    "sample_queries": "locoexport.evaluation.metrics",
    "tapvid_metrics": "locoexport.evaluation.metrics",
    "track_many": "locoexport.pipeline.tracking.many",
    "track_video": "locoexport.pipeline.tracking.points",
    "track_video_objects": "locoexport.pipeline.tracking.objects",
    "verify_model": "locoexport.pipeline.verify",
    "verify_with_sidecar": "locoexport.pipeline.proof.sidecar_check",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives; AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
