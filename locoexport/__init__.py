"""Track points through video, and take LocoTrack trackers from PyTorch to ONNX.

Track (needs neither torch nor onnx; without a file, the built-in b0-tiny runs)::

    import locoexport

    with locoexport.PointTracker() as tracker:
        tracks = tracker.track("clip.mp4", [[0, 120.5, 64.0]])  # t, y, x in pixels of the clip
    tracks.xy, tracks.visible  # (points, frames, 2), (points, frames)

``track_video`` writes a film and a tracks file, ``track_video_objects`` follows boxes and what a
detector sees, ``track_many`` works through folders of clips, ``LiveTracker`` answers frame by
frame, and ``convert_tracks`` writes the files of other programs.

Export and prove (needs ``pip install 'locoexport[export]'``)::

    locoexport.export_model("b0-tiny", "model.onnx")
    assert locoexport.verify_model("model.onnx").parity.passed

``load_profile`` and ``profile_names`` say what can be exported, ``evaluate_model`` scores a file on
TAP-Vid, ``tune_model`` finds the fastest file within an error limit, ``train_model`` trains a
tracker (``pip install 'locoexport[train]'``), and ``rewrite`` lowers the 5D GridSample of any .onnx
file. The networks themselves are ``locoexport.models.locotrack``.

Every error is a ``LocoExportError``; its text says what was found, what was expected and what to
do. Each name is imported when it is first used, so that ``import locoexport`` is quick.
"""

from __future__ import annotations

import importlib
import importlib.util
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
    from locoexport.pipeline.training.run import TrainReport, train_model
    from locoexport.pipeline.tuning.report import TuneReport
    from locoexport.pipeline.tuning.search import tune_model
    from locoexport.pipeline.verify import verify_model
    from locoexport.runtime.exchange.clip_facts import ClipFacts
    from locoexport.runtime.live.features import QueryFeatures
    from locoexport.runtime.live.state import LiveState
    from locoexport.runtime.live.tracker import LiveTracker, LiveTracks
    from locoexport.runtime.objects.rules import ObjectRules
    from locoexport.runtime.tracking.tracker import PointTracker
    from locoexport.runtime.tracks.tracks import Tracks
    from locoexport.runtime.video.selection import Selection
    from locoexport.training.fitting import FitSettings
    from locoexport.training.recipe import TrainingRecipe

__all__ = [
    "ClipFacts",
    "ConvertReport",
    "EvalReport",
    "ExportProfile",
    "ExportReport",
    "FitSettings",
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
    "TrainReport",
    "TrainingRecipe",
    "TuneReport",
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
    "train_model",
    "tune_model",
    "verify_model",
    "verify_with_sidecar",
]

_HOMES = {
    "ClipFacts": "locoexport.runtime.exchange.clip_facts",
    "ConvertReport": "locoexport.pipeline.convert",
    "EvalReport": "locoexport.pipeline.evaluate",
    "ExportProfile": "locoexport.contract.profile",
    "ExportReport": "locoexport.pipeline.export",
    "FitSettings": "locoexport.training.fitting",
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
    "TrainReport": "locoexport.pipeline.training.run",
    "TrainingRecipe": "locoexport.training.recipe",
    "TuneReport": "locoexport.pipeline.tuning.report",
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
    "train_model": "locoexport.pipeline.training.run",
    "tune_model": "locoexport.pipeline.tuning.search",
    "verify_model": "locoexport.pipeline.verify",
    "verify_with_sidecar": "locoexport.pipeline.proof.sidecar_check",
}


_EXPORT = (
    *("ExportReport", "RewriteReport", "TuneReport"),
    *("export_model", "rewrite", "tune_model", "verify_model"),
)
_TRAIN = ("FitSettings", "TrainReport", "TrainingRecipe", "train_model")
_EXTRAS = {**dict.fromkeys(_EXPORT, "export"), **dict.fromkeys(_TRAIN, "train")}
"""Names of ``_HOMES`` whose modules import what an extra brings."""
_IMPORTED = {"export": ("torch", "onnx"), "train": ("torch", "lightning")}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives.

    Raises:
        AttributeError: there is no such name.
        PackageMissingError: it needs what an extra brings, which is not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if name not in _EXTRAS:
            raise
        # Here and not above: the networks stand on this file, and know nothing of errors.
        from locoexport.errors import PackageMissingError

        raise PackageMissingError(
            f"locoexport.{name} needs {error.name}, which is not installed: "
            f"pip install 'locoexport[{_EXTRAS[name]}]'."
        ) from error


def __dir__() -> list[str]:
    """The public names that this installation can import, for completion and ``help``."""
    here = {
        extra: all(importlib.util.find_spec(module) for module in modules)
        for extra, modules in _IMPORTED.items()
    }
    hidden = {name for name, extra in _EXTRAS.items() if not here[extra]}
    dunders = {name for name in globals() if name.startswith("__")}
    return sorted((dunders | set(__all__)) - hidden)
