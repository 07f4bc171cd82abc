"""A finished float32 graph → the same in float16 or 8-bit integers, with what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport.contract.interface import GraphInterface
from locoexport.contract.metadata import QUERY_INPUT, VIDEO_INPUT
from locoexport.contract.profile import SCORED_HW, ExportProfile, IntegerForm
from locoexport.errors import UsageError, VideoError
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.lowering.tracker.finishing import finish_graph
from locoexport.lowering.tracker.frame_scan import scan_frames
from locoexport.lowering.tracker.half_precision import to_half_precision
from locoexport.lowering.tracker.promises import check_promises
from locoexport.lowering.tracker.quantisation import quantise
from locoexport.machine.writing.output_files import is_file
from locoexport.notices import Listener, Notice
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.session.integer_sums import adds_eight_bits
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input
from locoexport.version import __version__

__all__ = ["check_precision", "describe_calibration", "lower_graph", "weight_bits_here"]

_CALIBRATION = SyntheticSettings(frames=8, points=32, seed=1)
"""Other sequences than those that the cost is measured on."""
_CALIBRATION_CLIPS = 4
_CALIBRATION_GRID = 6


def check_precision(profile: ExportProfile, *, split: bool, calibrate: Sequence[Path]) -> None:
    """Before any work: what cannot be asked for together.

    Raises:
        UsageError: a split or a batch with a smaller precision, or clips that nothing reads.
        VideoError: there is no such clip.
    """
    if calibrate and profile.precision != "int8":
        raise UsageError("--calibrate takes ranges for --precision int8; leave it out.")
    parts = profile.quantised_parts
    if profile.precision != "int8" and (parts is not None or profile.weight_bits is not None):
        raise UsageError("--int8-parts and --for-cpu are for --precision int8; leave them out.")
    if calibrate and parts is not None and "encoder" not in parts:
        raise UsageError(
            "--calibrate takes ranges for the encoder, which --int8-parts leaves in float32."
        )
    if profile.precision == "fp32":
        return
    missing = next((path for path in calibrate if not is_file(path)), None)
    if missing is not None:
        raise VideoError(f"There is no clip {missing} to calibrate on.")
    if split:
        raise UsageError(
            f"--precision {profile.precision} is made of a single file; leave --split out."
        )
    if profile.input_type != "float32":
        raise UsageError(
            f"--precision {profile.precision} is made of a graph that takes float32; leave --input "
            f"{profile.input_type} out."
        )
    if profile.axes.batch not in (None, 1):
        raise UsageError(
            f"--precision {profile.precision} is measured on one video at a time; leave --batch "
            f"{profile.axes.batch} out."
        )


def lower_graph(
    model: onnx.ModelProto,
    profile: ExportProfile,
    interface: GraphInterface,
    *,
    scan: bool,
    calibrate: Sequence[Path],
    notify: Listener,
) -> onnx.ModelProto:
    """The graph ``model`` (simplified, its encoder not in a Scan) in the profile's precision.

    Of int8 the profile has to name the form.

    Raises:
        GraphCheckFailedError: it breaks a promise, or nothing of it can be lowered.
        VideoError: a clip to calibrate on cannot be read.
    """
    notify(Notice(f"lowering to {profile.precision}"))
    if profile.precision == "fp16":
        lowered = to_half_precision(model)
    else:
        assert profile.integer_form is not None
        clips = _calibration_inputs(profile, calibrate)
        lowered = quantise(model, profile.integer_form, clips)
    if scan:
        lowered = scan_frames(lowered)
    lowered = finish_graph(lowered, producer_version=__version__)
    check_promises(lowered, opset=profile.opset, interface=interface)
    return lowered


def _calibration_inputs(
    profile: ExportProfile, clips: Sequence[Path]
) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    """Inputs of the model from each clip, or from generated sequences where there is none."""
    frames = profile.axes.frames or _CALIBRATION.frames
    if clips:
        for path in clips:
            video = read_clip(path, max_frames=frames).frames_rgb
            grid = grid_queries(_CALIBRATION_GRID, *profile.working_hw)
            yield _inputs(profile, video, grid)
        return
    for index in range(_CALIBRATION_CLIPS):
        clip = make_sequence(index, replace(_CALIBRATION, frames=frames))
        asked = sample_queries(clip.occluded, clip.points * SCORED_HW[0], "first")
        queries = scale_queries_to_model(asked["query_points"][0], SCORED_HW, profile.working_hw)
        yield _inputs(profile, clip.video, queries)


def _inputs(
    profile: ExportProfile, frames_rgb: NDArray[np.uint8], queries: NDArray[np.float32]
) -> Mapping[str, NDArray[np.float32]]:
    video = to_model_input(frames_rgb, profile.working_hw)
    wanted = profile.axes.frames
    if wanted is not None and video.shape[1] != wanted:
        raise UsageError(
            f"A clip to calibrate on has {video.shape[1]} frames; --frames {wanted} needs as many."
        )
    if profile.axes.points is not None:
        queries = np.resize(queries, (profile.axes.points, 3))
    return {VIDEO_INPUT: video, QUERY_INPUT: queries[None].astype(np.float32)}


def describe_calibration(form: IntegerForm | None, clips: Sequence[Path]) -> str | None:
    """What the ranges of 8 bits come from, in words; None where each run takes its own."""
    if form is None or "encoder" not in form.parts:
        return None
    if clips:
        return ", ".join(path.name for path in clips)
    return f"{_CALIBRATION_CLIPS} synthetic, seed {_CALIBRATION.seed} (no --calibrate was given)"


def weight_bits_here() -> Literal[7, 8]:
    """How many bits weights may use on this processor; see ``IntegerForm``."""
    return 8 if adds_eight_bits() else 7
